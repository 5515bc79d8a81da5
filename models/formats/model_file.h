#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>

#include "base/file.h"

namespace plumb::models {

/// A file of a model, read and never mapped: a header is copied as it is parsed, and a weight is
/// read once, straight to where it is decoded. So no page of it stays resident, and a file that is
/// cut short meanwhile is an Error instead of a SIGBUS. Moves, does not copy; const methods may run
/// concurrently.
class ModelFile {
 public:
  /// Error{kInput} as InputFile, and for an empty file.
  explicit ModelFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  uint64_t size() const { return file_.size(); }  ///< when it was opened

  /// The bytes from `begin` on into `out`. Error{kInput} where the file has become shorter or
  /// cannot be read.
  void read(uint64_t begin, std::span<std::byte> out) const { file_.read(begin, out); }
  /// Of the whole file, lower-case hex; read once while the file stays as it is.
  /// Error{kResource} soon after `stop` was requested.
  std::string sha256(const std::stop_token& stop = {}) const;

 private:
  InputFile file_;
};

}  // namespace plumb::models
