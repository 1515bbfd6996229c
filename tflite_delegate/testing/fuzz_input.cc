#include "fuzz_input.h"

#include <algorithm>

namespace onexn {

FuzzCounts fuzz_counts;

namespace {

constexpr uint8_t kWide = 0xff;  // four bytes follow
constexpr int kMostNumbers = 1 << 12;
constexpr int kMostBytes = 1 << 15;

class Reader {
 public:
  Reader(const uint8_t* bytes, size_t size) : at_(bytes), end_(bytes + size) {}

  int Byte() { return at_ < end_ ? *at_++ : 0; }

  int Number() {
    const int first = Byte();
    if (first != kWide) return first;
    uint32_t wide = 0;
    for (int i = 0; i < 4; ++i) wide |= static_cast<uint32_t>(Byte()) << 8 * i;
    return static_cast<int>(wide);
  }

  int NumberBelow(int most) {
    const int64_t number = Number();
    return static_cast<int>((number < 0 ? -number : number) % most);
  }

  std::vector<int> Numbers(int most) {
    std::vector<int> numbers(NumberBelow(most));
    for (int& number : numbers) number = Number();
    return numbers;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

class Writer {
 public:
  void Byte(int value) { bytes.push_back(static_cast<uint8_t>(value)); }

  void Number(int value) {
    if (value >= 0 && value < kWide) return Byte(value);
    Byte(kWide);
    for (int i = 0; i < 4; ++i) Byte(static_cast<uint32_t>(value) >> 8 * i & 0xff);
  }

  void Numbers(const std::vector<int>& values) {
    Number(static_cast<int>(values.size()));
    for (int value : values) Number(value);
  }

  std::vector<uint8_t> bytes;
};

// 1/32 as float16, and as float32 with a bit of the fraction.
void FillValues(FakeTensor* tensor) {
  uint32_t random = 1;
  for (size_t i = 0; i < tensor->bytes.size(); ++i) {
    const bool half = tensor->type == kTfLiteFloat16;
    const size_t place = i % (half ? 2 : 4);
    if (place == 0) random = random * 1664525 + 1013904223;
    // exponents from 2^-8 to 1
    const uint32_t value = half ? (random & 0x83ff) | (7 + (random >> 20 & 7)) << 10
                                : (random & 0x807fe000) | (119 + (random >> 4 & 7))
                                                              << 23;
    tensor->bytes[i] = static_cast<char>(value >> 8 * place);
  }
}

}  // namespace

FakeTensor TensorOf(const uint8_t* bytes, size_t size) {
  Reader reader(bytes, size);
  FakeTensor tensor;
  tensor.sparse = true;
  tensor.type = reader.Byte();
  const int flags = reader.Byte();
  tensor.constant = (flags & 1) == 0;
  tensor.unaligned = flags >> 1 & 3;
  FakeSparsity& sparsity = tensor.sparsity;
  sparsity.has_block_map = (flags & 8) != 0;
  tensor.shape = reader.Numbers(12);
  sparsity.traversal_order = reader.Numbers(20);
  sparsity.block_map = reader.Numbers(12);
  sparsity.levels.resize(reader.NumberBelow(20));
  for (FakeSparsity::Level& level : sparsity.levels) {
    level.format = reader.Number();
    level.dense_size = reader.Number();
    level.has_arrays = reader.Byte() % 2 == 1;
    if (!level.has_arrays) continue;
    level.segments = reader.Numbers(kMostNumbers);
    level.indices = reader.Numbers(kMostNumbers);
  }
  tensor.bytes.resize(reader.NumberBelow(kMostBytes));
  FillValues(&tensor);
  return tensor;
}

std::vector<uint8_t> InputOf(const FakeTensor& tensor) {
  Writer writer;
  const FakeSparsity& sparsity = tensor.sparsity;
  writer.Byte(tensor.type);
  writer.Byte((tensor.constant ? 0 : 1) | tensor.unaligned << 1 |
              (sparsity.has_block_map ? 8 : 0));
  writer.Numbers(tensor.shape);
  writer.Numbers(sparsity.traversal_order);
  writer.Numbers(sparsity.block_map);
  writer.Number(static_cast<int>(sparsity.levels.size()));
  for (const FakeSparsity::Level& level : sparsity.levels) {
    writer.Number(level.format);
    writer.Number(level.dense_size);
    writer.Byte(level.has_arrays ? 1 : 0);
    if (!level.has_arrays) continue;
    writer.Numbers(level.segments);
    writer.Numbers(level.indices);
  }
  writer.Number(static_cast<int>(tensor.bytes.size()));
  return writer.bytes;
}

}  // namespace onexn
