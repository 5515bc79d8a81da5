#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/formats/tensor_index.h"

namespace plumb::models {

class ModelFile;

/// What a safetensors header says, checked against the whole file.
struct SafetensorsHeader {
  TensorEntries tensors;  ///< offsets from the start of the file; `file` left 0
  std::map<std::string, std::string> metadata;
};

/// Error{kInput} for every violation of the format: length out of range, header not a JSON object, duplicate or
/// unknown keys, unknown dtype, a shape whose bytes overflow or differ from its offsets, holes, overlaps, bytes after
/// the last tensor; and for more than 65536 tensors, or more than 8 MiB or 65536 pairs of metadata, which no model
/// has. Memory is in proportion to the header, and no allocation is larger than the file.
SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes);
SafetensorsHeader parse_safetensors(const ModelFile& file);

/// A tensor to write: name, type (F32, F16 or BF16), shape and its little-endian bytes.
struct TensorToWrite {
  std::string name;
  StoredType type;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Writes one safetensors file atomically (temporary file, fsync, rename, fsync of the folder). Header padded to 8
/// bytes, tensors in the given order. Error{kResource} when the disk refuses.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace plumb::models
