#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/fetch/fetch.h"

namespace plumb::harness {

/// One commit of a cached repository.
struct CachedRevision {
  std::string commit;
  std::vector<std::string> references;  ///< branches and tags that meant it last
  uint64_t file_count = 0;
  uint64_t bytes = 0;  ///< of its files; commits may share them
};

/// What the cache has of a repository, whoever fetched it.
struct CachedRepository {
  HubId id;  ///< its revision says nothing here
  std::filesystem::path folder;
  std::vector<CachedRevision> revisions;        ///< in the order of their commits
  std::vector<std::filesystem::path> blobs;     ///< whole files, in the order of their names
  std::vector<std::filesystem::path> partials;  ///< what interrupted downloads left
  uint64_t blob_bytes = 0;
  uint64_t partial_bytes = 0;
};

/// Every repository in the cache, by name; folders of other names are left out. Error{kInput} where it cannot be read.
std::vector<CachedRepository> survey_cache(const std::filesystem::path& cache);

/// A file of the cache that is not what its name says, or a name that leads nowhere.
struct CacheFault {
  std::filesystem::path file;
  std::string found;
};

/// Reads every blob of the repository again and compares its hash with its name; finds links that lead nowhere or out of
/// the cache. `progress` gets bytes of this repository's blobs; either may throw to stop.
std::vector<CacheFault> verify_repository(const CachedRepository& repository,
                                          const FetchProgress& progress,
                                          const std::function<void()>& between);

/// Removes what interrupted downloads left, but for those that go on now; gives the bytes. Error{kResource} where the disk
/// refuses.
uint64_t remove_partials(const std::filesystem::path& cache, const CachedRepository& repository);

/// Removes the repository with its locks; gives the bytes. Error{kResource} where a process is fetching it, and where the
/// disk refuses.
uint64_t remove_repository(const std::filesystem::path& cache, const CachedRepository& repository);

}  // namespace plumb::harness
