#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/output_file.h"
#include "models/formats/gguf.h"
#include "models/formats/safetensors_writer.h"

namespace plumb::models {

/// A metadata value as it stands in a GGUF file: the number of its type, and its little-endian bytes. Readers such as
/// llama.cpp ask for the very type, so a value that is carried over keeps its own.
struct GgufField {
  uint32_t type;
  std::string bytes;

  static GgufField count(int64_t value);  ///< u32; Error{kInvariant} where it is none
  static GgufField real(double value);    ///< f32
  static GgufField flag(bool value);
  static GgufField words(std::string_view value);  ///< a string
  static GgufField list(const std::vector<std::string>& values);
  static GgufField list(const std::vector<int32_t>& values);
  static GgufField list(const std::vector<float>& values);
  /// The field of `key` as the file had it. Error{kInvariant} where it has none.
  static GgufField of(const GgufHeader& header, const std::string& key);
};
using GgufFields = std::vector<std::pair<std::string, GgufField>>;

/// Writes one GGUF file (version 3, little-endian, data aligned to 32 bytes) as its tensors' bytes come by: nothing but the
/// header is held. The file is on disk once `finish` has returned and gone where that was not reached. Slots may have any stored
/// type; their shapes are outermost first, as everywhere in Plumb.
///
/// Errors: Error{kResource} when the disk refuses; Error{kInvariant} for a key or name that occurs twice or is too long, a
/// tensor without values or of more than 4 dimensions, and for more or fewer bytes than were announced.
/// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufWriter {
 public:
  GgufWriter(const std::filesystem::path& path, const GgufFields& metadata,
             const std::vector<TensorSlot>& tensors);

  /// The next bytes of the tensors, all in order, in pieces of any size. Padding is not the caller's.
  void write(std::span<const std::byte> bytes);
  void finish();

 private:
  void pad();

  OutputFile file_;
  std::vector<uint64_t> due_;  // bytes of each tensor that are still to come
  size_t tensor_ = 0;
  uint64_t written_ = 0;  // of the file
};

}  // namespace plumb::models
