#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace plumb::models {

/// The only arithmetic that sizes from a file go through: none where the result does not fit 64
/// bits. Sums with a file's length are never formed; what is left is compared instead
/// (`ByteCursor`).
inline std::optional<uint64_t> checked_product(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}
inline std::optional<uint64_t> checked_sum(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}
/// The next multiple of `alignment`, which is at least 1.
inline std::optional<uint64_t> aligned_up(uint64_t value, uint64_t alignment) {
  const uint64_t over = value % alignment;
  return over == 0 ? value : checked_sum(value, alignment - over);
}

/// `untrusted` between single quotes, fit for one line of an error: control characters and bytes
/// that are not ASCII become \xNN, and what is longer than 120 characters is cut.
std::string printable(std::string_view untrusted);

/// Error{kInput} for what no writer of the format writes.
template <typename... Parts>
Error damaged(const Parts&... parts) {
  return Error(ErrorKind::kInput,
               text(parts..., "; the file is damaged or badly converted: fetch it again"));
}
/// Error{kInput} for a model that is sound but asks for arithmetic that Plumb does not have.
template <typename... Parts>
Error unsupported(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts..., ": use another model"));
}

class ModelFile;

/// Reads little-endian values one after the other and never past the end.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : window_(bytes), size_(bytes.size()) {}
  /// Of a file, whose bytes are copied as they are asked for, at least 64 KiB at a time.
  explicit ByteCursor(const ModelFile& file);

  uint64_t size() const { return size_; }
  uint64_t position() const { return position_; }
  uint64_t remaining() const { return size_ - position_; }

  /// The next `count` bytes. Error{kInput} naming `what` where fewer remain.
  std::span<const std::byte> take(uint64_t count, std::string_view what);

  template <typename Number>
  Number number(std::string_view what) {
    Number value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  /// Passes over the next `count` bytes; the same error.
  void skip(uint64_t count, std::string_view what);

  /// Another cursor at this position, to look ahead with: it keeps nothing of what it has passed.
  ByteCursor ahead() const;
  /// Keeps what was taken from a file; none of bytes that are the caller's.
  std::shared_ptr<const void> storage() const { return copies_; }

 private:
  using Copies = std::vector<std::vector<std::byte>>;
  void require(uint64_t count, std::string_view what) const;
  void copy(uint64_t least);

  const ModelFile* file_ = nullptr;
  std::span<const std::byte> window_;  // of the file's bytes, from window_begin_ on
  uint64_t window_begin_ = 0;
  uint64_t size_ = 0;
  uint64_t position_ = 0;
  std::shared_ptr<Copies> copies_;
  bool forgets_ = false;
};

}  // namespace plumb::models
