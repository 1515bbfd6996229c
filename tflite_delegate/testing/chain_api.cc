#include "chain_api.h"

#include <time.h>

#include "../cache.h"
#include "../chain.h"
#include "../kernels/kernels.h"
#include "../kernels/select.h"
#include "../memory.h"
#include "../scratch.h"
#include "../thread_pool.h"
#include "faults.h"
#include "peak.h"

namespace {

using namespace onexn;

Activation ActivationOf(const OnexnActivation& from) {
  return {from.low, from.high, from.hard_swish != 0};
}

Window WindowOf(const OnexnWindow& from) {
  const int32_t* v = from.values;
  return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
}

Convolution ConvolutionOf(const OnexnConvolution& from) {
  Convolution to;
  to.window = WindowOf(from.window);
  to.kernel = {from.rows,  from.columns, to.window.height * to.window.width,
               from.n,     from.data,    from.indices,
               from.indptr};
  to.bias = from.bias;
  to.activation = ActivationOf(from.activation);
  return to;
}

Shape ShapeOf(const int32_t* v) { return {v[0], v[1], v[2], v[3]}; }

ChainSpec SpecOf(const OnexnChain& from) {
  ChainSpec to;
  to.has_expand = from.expand != nullptr;
  to.has_depthwise = from.depthwise_weights != nullptr;
  to.has_squeeze = from.squeeze_first != nullptr;
  to.has_residual = from.has_residual != 0;
  if (to.has_expand) to.expand = ConvolutionOf(*from.expand);
  if (to.has_depthwise) {
    to.depthwise = {from.depthwise_weights, from.depthwise_bias,
                    WindowOf(from.depthwise_window),
                    ActivationOf(from.depthwise_activation)};
  }
  if (to.has_squeeze) {
    to.squeeze = {ConvolutionOf(*from.squeeze_first),
                  ConvolutionOf(*from.squeeze_second), from.squeeze_scale};
  }
  to.project = ConvolutionOf(*from.project);
  return to;
}

double Now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

struct OnexnRunner {
  Chain* chain = nullptr;
  ThreadPool* pool = nullptr;
  ScratchPool* scratch = nullptr;

  ~OnexnRunner() {
    Chain::Destroy(chain);
    ThreadPool::Destroy(pool);
    ScratchPool::Destroy(scratch);
  }
};

OnexnRunner* onexn_create(const OnexnChain* chain, const char* isa, int32_t threads,
                          const int32_t* input_shape, const int32_t* output_shape) {
  const Kernels* kernels = KernelsFor(isa);
  if (kernels == nullptr) kernels = FaultyKernels(isa);
  if (kernels == nullptr) return nullptr;
  Owned<OnexnRunner> runner(New<OnexnRunner>());
  if (!runner) return nullptr;
  runner->chain = Chain::Create(SpecOf(*chain), *kernels);
  runner->scratch = ScratchPool::Create();
  if (threads > 1) runner->pool = ThreadPool::Create(threads);
  if (runner->chain == nullptr || runner->scratch == nullptr ||
      !runner->chain->Resize(ShapeOf(input_shape), ShapeOf(output_shape), threads)) {
    return nullptr;
  }
  return runner.release();
}

void onexn_destroy(OnexnRunner* runner) { Delete(runner); }

int32_t onexn_run(OnexnRunner* runner, const float* input, const float* residual,
                  float* output) {
  return runner->chain->Run(input, residual, output, runner->pool, runner->scratch);
}

void onexn_time(OnexnRunner* runner, const float* input, const float* residual,
                float* output, int32_t runs, double* seconds) {
  for (int32_t i = 0; i < runs; ++i) {
    const double start = Now();
    onexn_run(runner, input, residual, output);
    seconds[i] = Now() - start;
  }
}

const char* onexn_name(const OnexnRunner* runner) { return runner->chain->name(); }

void onexn_set_cache(int64_t bytes) { SetCacheBytesForTest(bytes); }

double onexn_peak(const char* isa) {
  if (KernelsFor(isa) == nullptr) return 0;
  const auto run = PeakOf(isa);
  if (run == nullptr) return 0;
  constexpr int64_t kRepeats = 2'000'000;
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double start = Now();
    const int64_t adds = run(kRepeats);
    const double rate = static_cast<double>(adds) / (Now() - start) / 1e9;
    best = rate > best ? rate : best;
  }
  return best;
}
