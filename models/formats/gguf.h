#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/formats/tensor_index.h"

namespace plumb::models {

/// A GGUF metadata value. Integers keep their sign; arrays are homogeneous. Strings are views into the mapped file.
using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view,
                               std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>,
                               std::vector<bool>, std::vector<std::string_view>>;

/// A GGUF v2 or v3 header, checked against `bytes`, the whole mapped file (which must outlive it).
struct GgufHeader {
  uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<TensorEntry> tensors;  ///< offsets from the start of the file; shape outermost first
};

/// Error{kInput} for a wrong magic or version, a count or length beyond the file, an unknown type, duplicate keys or
/// names, an offset that is not aligned, overlaps or leaves the file. Allocates in proportion to the header only.
GgufHeader parse_gguf(std::span<const std::byte> bytes);

/// Decodes `count` values of `type` (whole storage blocks) to fp32, bit for bit as ggml's reference does.
void dequantize(StoredType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace plumb::models
