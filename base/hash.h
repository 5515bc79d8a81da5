#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/file.h"

namespace plumb {

class Digest;

/// SHA-256 while bytes stream by (OpenSSL's EVP).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  std::string hex();  ///< 64 lower-case digits; the object is spent

 private:
  std::unique_ptr<Digest> digest_;
};

/// The name that git gives a file's content: SHA-1 of "blob <size>\0" and the bytes. It tells files apart; against somebody
/// who makes two files with one hash it proves nothing.
class GitBlobHash {
 public:
  explicit GitBlobHash(uint64_t size_bytes);
  ~GitBlobHash();
  GitBlobHash(GitBlobHash&&) noexcept;
  GitBlobHash& operator=(GitBlobHash&&) noexcept;
  void update(std::span<const std::byte> bytes);
  std::string hex();  ///< 40 lower-case digits; the object is spent

 private:
  std::unique_ptr<Digest> digest_;
};

std::string sha256_hex(std::string_view bytes);
std::string sha256_hex(std::span<const std::byte> bytes);
/// Error{kInput} where the file cannot be read. Error{kResource} soon after `stop` was requested.
std::string sha256_of_file(const std::filesystem::path& path);
std::string sha256_of_file(const InputFile& file, const std::stop_token& stop = {});

}  // namespace plumb
