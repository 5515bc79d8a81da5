#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/hash.h"
#include "harness/fetch/fetch.h"
#include "harness/fetch/http.h"

namespace plumb::harness {

/// Where one repository's files are in the cache, and how they get there. The layout is in fetch.h. Names are checked by
/// who makes them (hub.h); a path that comes from here is inside of the cache.
///
/// Errors: Error{kResource} naming the path and the system's reason.
class RepositoryCache {
 public:
  RepositoryCache(const std::filesystem::path& cache, const HubId& id);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path blobs() const { return folder_ / "blobs"; }
  std::filesystem::path blob(const std::string& etag) const { return blobs() / etag; }
  std::filesystem::path part(const std::string& etag) const {
    return blobs() / (etag + ".incomplete");
  }
  std::filesystem::path lock(const std::string& etag) const { return locks_ / (etag + ".lock"); }
  std::filesystem::path snapshot(const std::string& commit) const {
    return folder_ / "snapshots" / commit;
  }
  std::filesystem::path reference(const std::string& revision) const {
    return folder_ / "refs" / revision;
  }

  /// The commit that a revision meant last: itself where it is one. None where the cache does not know.
  std::optional<std::string> commit_of(const std::string& revision) const;
  void remember(const std::string& revision, const std::string& commit) const;

  /// Makes the folders of blobs and locks.
  void make_folders() const;

  /// Makes `name` of the snapshot be the blob: a relative symbolic link, or a copy where `links` is off or the file system
  /// has none. What was there is replaced at once.
  void place(const std::string& commit, const std::string& name, const std::string& etag,
             bool links) const;

 private:
  std::filesystem::path folder_;
  std::filesystem::path locks_;
};

/// The folder of a repository: "models--org--name".
std::string cache_folder_name(const HubId& id);

/// An exclusive flock, as huggingface_hub takes it. The file stays.
class FileLock {
 public:
  /// Waits for it. Stopped when the flag is set; Error{kResource} where the file cannot be made.
  FileLock(const std::filesystem::path& path, const StopFlag& stop);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  /// False where the file system has no locks, or gives them to everybody: then others may be at the same work.
  bool is_held() const { return held_; }

 private:
  int descriptor_ = -1;
  bool held_ = false;
};

/// The hash that an etag is of: sha256 (64 digits), or git's of a file of `size_bytes` (40).
class ContentHash {
 public:
  ContentHash(const std::string& etag, uint64_t size_bytes);
  void update(std::span<const std::byte> bytes);
  std::string hex();

 private:
  std::variant<Sha256, GitBlobHash> hash_;
};
/// Of a whole file. `between` is called every few megabytes. Error{kInput} where it cannot be read.
std::string content_hash_of_file(const std::filesystem::path& path, const std::string& etag,
                                 const std::function<void()>& between);

/// The bytes of a blob that have come so far, hashed as they come. Opening it reads what an earlier try left.
class PartialFile {
 public:
  PartialFile(std::filesystem::path path, std::string etag, uint64_t size_bytes,
              const StopFlag& stop);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  uint64_t size() const { return size_; }
  void append(std::span<const std::byte> bytes);
  void restart();  ///< drops what is there
  void remove();
  /// Whether the bytes are all there and are the right ones; the last call but `restart`, `remove` and `publish`.
  bool is_right();
  /// On disk first, then under its name: a blob is whole or not there.
  void publish(const std::filesystem::path& blob);

 private:
  void read_what_is_there(const StopFlag& stop);
  std::filesystem::path path_;
  std::string etag_;
  uint64_t wanted_;
  uint64_t size_ = 0;
  int descriptor_ = -1;
  ContentHash hash_;
};

/// Bytes that may still be written in the folder, which need not be there yet.
uint64_t free_bytes(const std::filesystem::path& folder);

}  // namespace plumb::harness
