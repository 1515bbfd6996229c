#include <memory>
#include <thread>

#include "../cache.h"
#include "../memory.h"
#include "../scratch.h"
#include "../thread_pool.h"
#include "harness.h"
#include "random_chain.h"

namespace onexn {
namespace {

constexpr double kTolerance = 2e-5;

struct DestroyChain {
  void operator()(Chain* chain) const { Chain::Destroy(chain); }
};
using ChainPointer = std::unique_ptr<Chain, DestroyChain>;

// One run of a chain, and what the oracle says.
struct Run {
  Shape input_shape, output_shape;
  std::vector<float> input, residual, expected;

  Run(const RandomChain& chain, Random* random, ScratchPool* scratch) {
    chain.NextShapes(random, &input_shape, &output_shape);
    input = random->Floats(input_shape.size());
    if (chain.spec().has_residual) residual = random->Floats(output_shape.size());
    const ChainPointer oracle(Chain::Create(chain.spec(), *KernelsFor("reference")));
    ONEXN_CHECK(oracle && oracle->Resize(input_shape, output_shape, 1));
    expected = Output(*oracle, nullptr, scratch);
  }

  std::vector<float> Output(const Chain& chain, ThreadPool* pool,
                            ScratchPool* scratch) const {
    std::vector<float> output(output_shape.size(), NAN);
    ONEXN_CHECK(chain.Run(input.data(), residual.empty() ? nullptr : residual.data(),
                          output.data(), pool, scratch));
    return output;
  }

  void Check(const Chain& chain, ThreadPool* pool, ScratchPool* scratch) const {
    const double error = Difference(Output(chain, pool, scratch), expected);
    if (!(error <= kTolerance)) {
      fprintf(stderr, "%s, %dx%dx%dx%d to %dx%dx%d: %g\n", chain.name(),
              input_shape.batch, input_shape.height, input_shape.width,
              input_shape.channels, output_shape.height, output_shape.width,
              output_shape.channels, error);
    }
    ONEXN_CHECK(error <= kTolerance);
  }
};

}  // namespace

void CheckChains(int cases) {
  ScratchPool* scratch = ScratchPool::Create();
  ThreadPool* pool = ThreadPool::Create(3);
  for (int seed = 0; seed < cases; ++seed) {
    Random random(seed);
    const RandomChain spec(&random);
    SetCacheBytesForTest(random.Of({0, 4000, 20000, 60000}));
    std::vector<Run> runs;
    for (int i = 0; i < 3; ++i) runs.emplace_back(spec, &random, scratch);
    for (const Kernels* kernels : AllKernels()) {
      const ChainPointer chain(Chain::Create(spec.spec(), *kernels));
      ONEXN_CHECK(chain != nullptr);
      for (const Run& run : runs) {
        for (int threads : {1, pool->threads()}) {
          ONEXN_CHECK(chain->Resize(run.input_shape, run.output_shape, threads));
          run.Check(*chain, nullptr, scratch);
          run.Check(*chain, pool, scratch);
        }
      }
    }
  }
  SetCacheBytesForTest(0);
  // in the order in which no owner would
  ScratchPool::Destroy(scratch);
  ThreadPool::Destroy(pool);
}

void CheckThreads(int cases) {
  constexpr int kThreads = 4;
  for (int seed = 0; seed < (cases + 9) / 10; ++seed) {
    ScratchPool* scratch = ScratchPool::Create();
    ThreadPool* pool = ThreadPool::Create(3);
    Random random(1000 + seed);
    const RandomChain first(&random), second(&random);
    const Run runs[] = {{first, &random, scratch}, {second, &random, scratch}};
    SetCacheBytesForTest(random.Of({0, 4000, 20000}));
    for (const Kernels* kernels : AllKernels()) {
      ChainPointer chains[2];
      for (int i = 0; i < 2; ++i) {
        chains[i].reset(Chain::Create((i == 0 ? first : second).spec(), *kernels));
        ONEXN_CHECK(chains[i]->Resize(runs[i].input_shape, runs[i].output_shape, 3));
      }
      std::vector<std::thread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < 6; ++i) {
            const int at = (t + i) % 2;
            runs[at].Check(*chains[at], pool, scratch);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    ThreadPool::Destroy(pool);
    ScratchPool::Destroy(scratch);
  }
  SetCacheBytesForTest(0);
}

}  // namespace onexn
