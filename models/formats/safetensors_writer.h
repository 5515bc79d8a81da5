#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/output_file.h"
#include "models/formats/tensor_index.h"

namespace plumb::models {

/// A tensor whose bytes are yet to come: F32, F16 or BF16.
struct TensorSlot {
  std::string name;
  StoredType type;
  std::vector<int64_t> shape;

  uint64_t size_bytes() const { return stored_bytes(name, shape, type); }
};

/// Whether `a` must stand before `b`: the order, stable otherwise, in which every tensor begins at a multiple of its
/// type's width, without which readers that map the file refuse it.
bool wider(const TensorSlot& a, const TensorSlot& b);

/// Writes one safetensors file as its tensors' bytes come by: nothing but the header is held. The file is on disk once
/// `finish` has returned and gone where that was not reached.
///
/// Errors: Error{kResource} when the disk refuses; Error{kInvariant} for a quantised type, a name that occurs twice, a
/// tensor that would not be aligned, and for more or fewer bytes than were announced.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<TensorSlot>& tensors,
                    const std::map<std::string, std::string>& metadata);

  /// The next little-endian bytes of the payload: all tensors in order, in pieces of any size.
  void write(std::span<const std::byte> bytes);
  void finish();

 private:
  OutputFile file_;
  uint64_t due_ = 0;  // bytes of the payload that are still to come
};

}  // namespace plumb::models
