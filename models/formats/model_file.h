#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/file.h"
#include "base/hash.h"

namespace plumb::models {

/// A model file, twice: mapped, for its header and the metadata that lives on; and as a descriptor,
/// for the weights. A weight is read once, straight to where it is decoded: no page of it stays
/// resident, and a file that is cut short meanwhile is an Error instead of a SIGBUS. Moves, does
/// not copy; const methods may run concurrently.
class ModelFile {
 public:
  /// Error{kInput} as MappedFile.
  explicit ModelFile(const std::filesystem::path& path);
  ModelFile(ModelFile&& other) noexcept;
  ModelFile& operator=(ModelFile&&) = delete;
  ~ModelFile();

  const std::filesystem::path& path() const { return map_.path(); }
  std::span<const std::byte> mapped() const { return map_.bytes(); }

  /// The bytes from `begin` on into `out`. Error{kInput} where the file has become shorter or
  /// cannot be read.
  void read(uint64_t begin, std::span<std::byte> out) const;
  void add_to(Sha256& hash) const;

 private:
  MappedFile map_;
  int descriptor_ = -1;
};

}  // namespace plumb::models
