// Runs a fuzz target where there is no libFuzzer: on the seeds, and on random changes
// of them.
//
//   onexn_fuzz_sparse_tensor FOLDER COUNT [FIRST]   runs so many inputs
//   onexn_fuzz_sparse_tensor --seeds FOLDER         writes the seeds

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <string>

#include "fuzz_input.h"
#include "random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

namespace onexn {
namespace {

using Input = std::vector<uint8_t>;

std::vector<Input> ReadSeeds(const std::string& folder) {
  std::vector<std::string> names;
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return {};
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.push_back(folder + "/" + entry->d_name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  std::vector<Input> seeds;
  for (const std::string& name : names) {
    FILE* file = fopen(name.c_str(), "rb");
    if (file == nullptr) continue;
    seeds.emplace_back();
    for (int byte = fgetc(file); byte != EOF; byte = fgetc(file)) {
      seeds.back().push_back(static_cast<uint8_t>(byte));
    }
    fclose(file);
  }
  return seeds;
}

void Write(const std::string& path, const Input& input) {
  FILE* file = fopen(path.c_str(), "wb");
  if (file == nullptr || fwrite(input.data(), 1, input.size(), file) != input.size() ||
      fclose(file) != 0) {
    fprintf(stderr, "could not write %s\n", path.c_str());
    exit(1);
  }
}

void WriteSeeds(const std::string& folder) {
  int count = 0;
  for (int n : {1, 2, 4, 8, 16, 24, 32}) {
    for (int window : {0, 1, 3}) {
      Random random(n + 100 * window);
      FakeGraph graph;
      graph.half = n % 3 == 2;
      const int inputs = random.Between(1, 9);
      std::vector<int> shape = {n * random.Between(1, 3), inputs};
      if (window > 0) shape = {shape[0], window, window, inputs};
      graph.SparseKernel(&random, shape, n, .5);
      Write(folder + "/kernel_" + std::to_string(count++), InputOf(graph.tensors[0]));
    }
  }
  // well-formed, but no 1×n blocks
  FakeTensor csr;
  csr.constant = csr.sparse = true;
  csr.shape = {2, 3, 4};
  csr.sparsity.traversal_order = {2, 0, 1};
  csr.sparsity.levels.resize(3);
  csr.sparsity.levels[0].dense_size = 4;
  csr.sparsity.levels[1] = {kTfLiteDimSparseCSR, 0, true, {0, 1, 1, 3, 3}, {1, 0, 1}};
  csr.sparsity.levels[2].dense_size = 3;
  csr.bytes.resize(3 * 3 * sizeof(float));
  Write(folder + "/other_0", InputOf(csr));
  FakeTensor along_inputs;
  along_inputs.constant = along_inputs.sparse = true;
  along_inputs.shape = {3, 8};
  along_inputs.type = kTfLiteInt8;
  along_inputs.sparsity.traversal_order = {0, 1, 2};
  along_inputs.sparsity.has_block_map = true;
  along_inputs.sparsity.block_map = {1};
  along_inputs.sparsity.levels.resize(3);
  along_inputs.sparsity.levels[0].dense_size = 3;
  along_inputs.sparsity.levels[1] = {
      kTfLiteDimSparseCSR, 0, true, {0, 1, 3, 3}, {1, 0, 1}};
  along_inputs.sparsity.levels[2].dense_size = 4;
  along_inputs.bytes.resize(3 * 4);
  Write(folder + "/other_1", InputOf(along_inputs));
}

size_t Place(const Input& input, Random* random) {
  return static_cast<size_t>(random->Bits() % (input.size() + 1));
}

void Change(Input* input, const std::vector<Input>& seeds, Random* random) {
  const size_t at = Place(*input, random);
  const auto here = input->begin() + static_cast<std::ptrdiff_t>(at);
  const uint8_t telling =
      random->Of<uint8_t>({0, 1, 2, 3, 4, 8, 16, 32, 127, 128, 254, 255});
  switch (random->Between(0, 7)) {
    case 0:
    case 1:
      if (at < input->size()) (*input)[at] = telling;
      return;
    case 2:
      if (at < input->size()) (*input)[at] ^= 1u << random->Between(0, 7);
      return;
    case 3:
      if (at < input->size()) (*input)[at] += random->Of<uint8_t>({1, 255});
      return;
    case 4:
      input->insert(here, telling);
      return;
    case 5:
      if (at < input->size()) input->erase(here);
      return;
    case 6: {  // a wide number
      const uint32_t wide = random->Of<uint32_t>(
          {0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x1000000, 0x40000000});
      Input bytes = {255};
      for (int i = 0; i < 4; ++i) bytes.push_back(wide >> 8 * i & 0xff);
      if (at < input->size()) input->erase(here);
      input->insert(input->begin() + static_cast<std::ptrdiff_t>(at), bytes.begin(),
                    bytes.end());
      return;
    }
    default: {  // the end of another seed
      const Input& other = seeds[random->Bits() % seeds.size()];
      const size_t from = Place(other, random);
      input->resize(at);
      input->insert(input->end(), other.begin() + static_cast<std::ptrdiff_t>(from),
                    other.end());
      return;
    }
  }
}

// Gives a dimension another size everywhere, or adds one.
void Stretch(Input* input, Random* random) {
  FakeTensor tensor = TensorOf(input->data(), input->size());
  FakeSparsity& sparsity = tensor.sparsity;
  const int size = random->Of({0, 1, 2, 5, 1 << 10, 1 << 20, 1 << 24, 0x7ffffff0,
                               0x7fffffff, random->Between(1, 1 << 30)});
  if (random->Chance(.3) && tensor.shape.size() < 8) {
    for (int& place : sparsity.traversal_order) ++place;
    for (int& axis : sparsity.block_map) ++axis;
    tensor.shape.insert(tensor.shape.begin(), size);
    sparsity.traversal_order.insert(sparsity.traversal_order.begin(), 0);
    sparsity.levels.emplace(sparsity.levels.begin());
    sparsity.levels[0].dense_size = size;
  } else if (!tensor.shape.empty()) {
    const int axis = random->Between(0, static_cast<int>(tensor.shape.size()) - 1);
    tensor.shape[axis] = size;
    const size_t count =
        std::min(sparsity.traversal_order.size(), sparsity.levels.size());
    for (size_t i = 0; i < count; ++i) {
      if (sparsity.traversal_order[i] == axis) sparsity.levels[i].dense_size = size;
    }
  }
  *input = InputOf(tensor);
}

int Run(const std::string& folder, int count, uint64_t first) {
  const std::vector<Input> seeds = ReadSeeds(folder);
  if (seeds.empty()) {
    fprintf(stderr, "no seeds in %s\n", folder.c_str());
    return 1;
  }
  for (const Input& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  const int of_seeds = fuzz_counts.run;
  for (int i = 0; i < count; ++i) {
    Random random(first + i);
    Input input = seeds[random.Bits() % seeds.size()];
    for (int changes = random.Between(0, 3); changes > 0; --changes) {
      Stretch(&input, &random);
    }
    for (int changes = random.Between(0, 3); changes > 0; --changes) {
      Change(&input, seeds, &random);
    }
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  printf(
      "%d seeds and %d inputs: %d malformed, %d of another layout, %d of blocks, %d "
      "run\n",
      static_cast<int>(seeds.size()), count, fuzz_counts.malformed, fuzz_counts.other,
      fuzz_counts.blocks, fuzz_counts.run);
  return of_seeds > 0 && fuzz_counts.malformed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace onexn

int main(int count, char** arguments) {
  if (count == 3 && strcmp(arguments[1], "--seeds") == 0) {
    onexn::WriteSeeds(arguments[2]);
    return 0;
  }
  if (count < 3) {
    fprintf(stderr, "usage: %s FOLDER COUNT [FIRST]\n", arguments[0]);
    return 2;
  }
  return onexn::Run(arguments[1], atoi(arguments[2]),
                    count > 3 ? strtoull(arguments[3], nullptr, 10) : 0);
}
