#include "models/formats/tensor_index.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "models/formats/bounds.h"

namespace plumb::models {
namespace {

struct TypeRow {
  StoredType type;
  std::string_view name;
  BlockLayout layout;
};

// Bytes of a block, from ggml-common.h's structures: scales in fp16, then packed values.
constexpr std::array<TypeRow, 11> kTypes{{
    {StoredType::kF32, "F32", {1, 4}},
    {StoredType::kF16, "F16", {1, 2}},
    {StoredType::kBf16, "BF16", {1, 2}},
    {StoredType::kQ8_0, "Q8_0", {32, 2 + 32}},
    {StoredType::kQ4_0, "Q4_0", {32, 2 + 16}},
    {StoredType::kQ4_1, "Q4_1", {32, 2 + 2 + 16}},
    {StoredType::kQ5_0, "Q5_0", {32, 2 + 4 + 16}},
    {StoredType::kQ5_1, "Q5_1", {32, 2 + 2 + 4 + 16}},
    {StoredType::kQ4_K, "Q4_K", {256, 2 + 2 + 12 + 128}},
    {StoredType::kQ5_K, "Q5_K", {256, 2 + 2 + 12 + 32 + 128}},
    {StoredType::kQ6_K, "Q6_K", {256, 128 + 64 + 16 + 2}},
}};

const TypeRow& row_of(StoredType type) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const TypeRow& row) { return row.type == type; });
  if (found == kTypes.end()) throw Error(ErrorKind::kInternal, "a stored type without a row");
  return *found;
}

}  // namespace

std::string_view stored_type_name(StoredType type) { return row_of(type).name; }

BlockLayout block_layout(StoredType type) { return row_of(type).layout; }

int64_t TensorEntry::element_count() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;  // stored_bytes has checked the product
  return count;
}

uint64_t stored_bytes(std::string_view name, const std::vector<int64_t>& shape, StoredType type) {
  const auto refuse = [&](const auto&... why) {
    return damaged("tensor ", printable(name), " ", why...);
  };
  // A zero must not hide an overflow of the other factors, so it joins the product last.
  uint64_t values = 1;
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) throw refuse("has a dimension of ", size, "; dimensions are 0 or more");
    empty = empty || size == 0;
    const auto product = checked_product(values, static_cast<uint64_t>(std::max<int64_t>(size, 1)));
    if (!product) throw refuse("has a shape whose number of values does not fit 64 bits");
    values = *product;
  }
  const BlockLayout layout = block_layout(type);
  const int64_t row = shape.empty() ? 1 : shape.back();
  if (row % layout.values != 0)
    throw refuse("has rows of ", row, " values, but ", stored_type_name(type),
                 " stores them in blocks of ", layout.values);
  const auto bytes = checked_product(values / static_cast<uint64_t>(layout.values),
                                     static_cast<uint64_t>(layout.bytes));
  if (!bytes || *bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    throw refuse("has a shape whose bytes do not fit 63 bits");
  return empty ? 0 : *bytes;
}

}  // namespace plumb::models
