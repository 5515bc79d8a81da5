#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::models {

/// How a tensor's values are stored on disk.
enum class StoredType { kF32, kF16, kBf16, kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ4_K, kQ5_K, kQ6_K };

/// "F32", "Q4_1", ...
std::string_view stored_type_name(StoredType type);

/// Values per block and bytes per block of a stored type; {1, 4} for F32, {32, 20} for Q4_1, {256, 144} for Q4_K.
struct BlockLayout {
  int64_t values;
  int64_t bytes;
};
BlockLayout block_layout(StoredType type);

/// One tensor of a checkpoint, located but not read.
struct TensorEntry {
  std::string name;  ///< as the file calls it
  StoredType type;
  std::vector<int64_t> shape;  ///< row-major, outermost first (GGUF's order reversed)
  size_t file = 0;             ///< index into the checkpoint's files
  uint64_t begin = 0;          ///< bytes from the start of that file
  uint64_t end = 0;

  int64_t element_count() const;
  uint64_t size_bytes() const { return end - begin; }
};

/// In a container that grows in pieces: a header of empty tensors takes fewer bytes than what describes them, and no
/// allocation may be larger than the file.
using TensorEntries = std::deque<TensorEntry>;

/// More in one file is refused; the largest decoder that Plumb knows has 512 blocks of a dozen tensors.
inline constexpr uint64_t kMostTensors = 65536;

/// Bytes that `shape` needs in `type`. Error{kInput} naming `name` when the product overflows or does not fill whole
/// storage blocks.
uint64_t stored_bytes(std::string_view name, const std::vector<int64_t>& shape, StoredType type);

}  // namespace plumb::models
