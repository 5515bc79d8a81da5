#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/fetch/cache.h"
#include "harness/fetch/download.h"
#include "harness/fetch/fetch.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {

/// One repository at one commit while its files are looked up and fetched. Everything is called from one thread.
/// Errors as `fetch`.
class SnapshotBuilder {
 public:
  SnapshotBuilder(const HubSettings& hub, const HubId& id, const FetchProgress& progress,
                  const std::function<void()>& between);

  /// Paths in the repository (offline: those that the cache has), sorted, as the Hub gave them.
  const std::vector<std::string>& names() const { return listing_.names; }
  bool has(const std::string& name) const;
  /// Where the Hub may have cut the list of names: asks for those below a folder.
  void complete(const std::string& folder);
  bool is_cached() const { return snapshot_.from_cache; }  ///< names are what the cache has

  void look_up(const std::vector<std::string>& names);  ///< sizes and hashes into the snapshot
  void fetch(const std::vector<std::string>& names);    ///< and the bytes
  std::filesystem::path path(const std::string& name) const { return snapshot_.folder / name; }

  /// What came of it: files of the last look_up or fetch; the last call. `is_fetched`: the revision is written down as this commit.
  Snapshot take(bool is_fetched);

 private:
  struct Order {
    BlobOrder blob;
    bool has_blob = false;
    bool is_placed = false;
    DownloadCount count;
  };

  void open();
  void sort_names();
  void open_cached(const std::string& why);
  void look_up_cached(const std::vector<std::string>& names);
  void take_metadata(const std::vector<std::string>& names);
  void require_space() const;
  void watch() const;
  bool is_placed(const BlobOrder& order) const;
  HubClient& client(size_t thread);
  void record();

  const HubSettings& hub_;
  FetchProgress progress_;
  std::function<void()> between_;
  RepositoryCache cache_;
  StopFlag stop_ = false;
  std::vector<std::unique_ptr<HubClient>> clients_;  // one a thread; they keep connections
  Listing listing_;
  bool may_be_cut_ = false;
  Snapshot snapshot_;
  std::vector<std::unique_ptr<Order>> orders_;  // of the call that runs
};

}  // namespace plumb::harness
