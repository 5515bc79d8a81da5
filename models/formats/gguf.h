#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "models/formats/tensor_index.h"

namespace plumb::models {

class ModelFile;

/// An array of the metadata: checked element by element, but left in the file's own bytes. What it costs beyond them is
/// for its reader to decide, who can look at its size first.
class GgufArray {
 public:
  /// `bytes`: `count` elements of the value type `type`, which have been checked.
  GgufArray(uint32_t type, uint64_t count, std::span<const std::byte> bytes)
      : type_(type), count_(count), bytes_(bytes) {}

  uint64_t size() const { return count_; }
  uint32_t element_type() const { return type_; }  ///< GGUF's number
  std::span<const std::byte> bytes() const { return bytes_; }
  bool holds_integers() const;
  bool holds_reals() const;
  bool holds_texts() const;
  bool holds_booleans() const;
  /// The elements in order. Error{kInvariant} where the array holds others. Of u64 those above 2^63 become negative.
  void integers(const std::function<void(int64_t)>& take) const;
  void reals(const std::function<void(double)>& take) const;
  void texts(const std::function<void(std::string_view)>& take) const;
  void booleans(const std::function<void(bool)>& take) const;

 private:
  uint32_t type_;
  uint64_t count_;
  std::span<const std::byte> bytes_;
};

/// A GGUF metadata value. Integers keep their sign; arrays are homogeneous. Strings and arrays are views into the bytes
/// that were parsed, or into `GgufHeader::storage`.
using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;

/// A GGUF v2 or v3 header, checked against the whole file.
struct GgufHeader {
  uint32_t version = 0;
  std::map<std::string, GgufValue, std::less<>> metadata;
  /// Keys and GGUF's numbers of their value types, in the file's order.
  std::deque<std::pair<std::string, uint32_t>> keys;
  TensorEntries tensors;  ///< offsets from the start of the file; shape outermost first
  std::shared_ptr<const void> storage;
};

/// Error{kInput} for a wrong magic or version, a count or length beyond the file, an unknown type, duplicate keys or
/// names, an offset that is not aligned, overlaps or leaves the file. Allocates in proportion to the header only, and
/// nothing that is larger than the file. `bytes` must outlive the header; a file need not.
GgufHeader parse_gguf(std::span<const std::byte> bytes);
GgufHeader parse_gguf(const ModelFile& file);

/// ggml's number of a type.
uint32_t ggml_type(StoredType type);

/// Decodes `count` values of `type` (whole storage blocks) to fp32, bit for bit as ggml's reference does.
void dequantize(StoredType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace plumb::models
