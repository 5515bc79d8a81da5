#pragma once

#include <atomic>
#include <string>

#include "harness/fetch/cache.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {

/// Bytes of one file that are here, and bytes that came over the network; read by whoever shows the progress.
struct DownloadCount {
  std::atomic<uint64_t> here = 0;
  std::atomic<uint64_t> fetched = 0;
};

/// One file of a repository whose bytes are wanted in the cache.
struct BlobOrder {
  HubId id;
  std::string commit;
  std::string name;
  FileMetadata metadata;
};

/// Whether the cache has the bytes, by their length; `plumb cache verify` looks at the bytes themselves.
bool has_blob(const RepositoryCache& cache, const FileMetadata& metadata);

/// Brings the bytes into the cache under their hash, unless they are there: takes the blob's lock, so that of several
/// processes one fetches; goes on where an earlier try stopped; tries again as HubSettings say. Bytes that are not those of
/// the hash are dropped and fetched once more from the start; after that it is Error{kInput}, and nothing stays.
/// Other errors as `fetch`.
void download_blob(const RepositoryCache& cache, HubClient& client, const HubSettings& settings,
                   const BlobOrder& order, DownloadCount& count, const StopFlag& stop);

/// What a Content-Range header says. None where it is no "bytes first-last/size".
struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  std::optional<uint64_t> size;  ///< none: '*'
};
std::optional<ContentRange> content_range(std::string_view header);

}  // namespace plumb::harness
