#include "harness/fetch/snapshot_builder.h"

#include <algorithm>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/fetch/parallel.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

uint64_t sum(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

/// Bytes of a part that an earlier try left, or 0.
uint64_t left_before(const RepositoryCache& cache, const FileMetadata& metadata) {
  std::error_code failed;
  const uint64_t size = fs::file_size(cache.part(metadata.etag), failed);
  return failed || size > metadata.size_bytes ? 0 : size;
}

}  // namespace

SnapshotBuilder::SnapshotBuilder(const HubSettings& hub, const HubId& id,
                                 const FetchProgress& progress,
                                 const std::function<void()>& between)
    : hub_(hub), progress_(progress), between_(between), cache_(hub.cache, id) {
  require_usable(hub);
  snapshot_.id = id;
  for (int i = 0; i < std::max(1, hub.parallel); ++i)
    clients_.push_back(std::make_unique<HubClient>(hub_, stop_));
  if (hub.offline) {
    open_cached("HF_HUB_OFFLINE is set");
  } else {
    open();
  }
  snapshot_.commit = listing_.commit;
  snapshot_.folder = cache_.snapshot(listing_.commit);
  may_be_cut_ = !snapshot_.from_cache && listing_.names.size() >= hub.whole_listing;
  sort_names();
}

void SnapshotBuilder::sort_names() {
  std::sort(listing_.names.begin(), listing_.names.end());
  listing_.names.erase(std::unique(listing_.names.begin(), listing_.names.end()),
                       listing_.names.end());
}

void SnapshotBuilder::complete(const std::string& folder) {
  if (!may_be_cut_) return;
  in_parallel(
      1, 1, stop_,
      [&](size_t, size_t) {
        const auto more = clients_[0]->list_folder(snapshot_.id, snapshot_.commit, folder);
        listing_.names.insert(listing_.names.end(), more.begin(), more.end());
      },
      [&] { watch(); });
  sort_names();
}

bool SnapshotBuilder::has(const std::string& name) const {
  return std::binary_search(listing_.names.begin(), listing_.names.end(), name);
}

void SnapshotBuilder::open() {
  try {
    in_parallel(
        1, 1, stop_, [&](size_t, size_t) { listing_ = clients_[0]->list(snapshot_.id); },
        [&] { watch(); });
  } catch (const Unreachable& unreachable) {
    stop_ = false;
    open_cached(unreachable.what());
  }
}

void SnapshotBuilder::open_cached(const std::string& why) {
  const HubId& id = snapshot_.id;
  const auto commit = cache_.commit_of(id.revision);
  const fs::path folder = cache_.snapshot(commit.value_or("none"));
  std::error_code failed;
  if (!commit || !fs::is_directory(folder, failed))
    throw Error(ErrorKind::kNetwork,
                text("'", shown(id), "' at '", printable(id.revision), "' is not in the cache '",
                     hub_.cache.string(), "', and ", why,
                     "; fetch it once where there is a network, or name a local file or folder"));
  snapshot_.from_cache = true;
  listing_.commit = *commit;
  for (auto it = fs::recursive_directory_iterator(folder); it != fs::end(it); ++it)
    if (it->is_regular_file(failed))
      listing_.names.push_back(it->path().lexically_relative(folder).generic_string());
}

void SnapshotBuilder::look_up_cached(const std::vector<std::string>& names) {
  snapshot_.files.clear();
  for (const std::string& name : names) {
    std::error_code failed;
    FetchedFile file;
    file.name = name;
    file.path = path(name);
    file.size_bytes = fs::file_size(file.path, failed);
    if (failed)
      throw Error(ErrorKind::kResource,
                  text("cannot read '", file.path.string(), "': ", failed.message()));
    const std::string target = fs::read_symlink(file.path, failed).filename().string();
    if (is_etag(target)) file.hash = target;
    file.was_cached = true;
    snapshot_.files.push_back(file);
  }
}

HubClient& SnapshotBuilder::client(size_t thread) { return *clients_.at(thread); }

bool SnapshotBuilder::is_placed(const BlobOrder& order) const {
  std::error_code failed;
  const fs::path file = path(order.name);
  if (!fs::is_regular_file(file, failed)) return false;
  // A copy is known by its length alone; huggingface_hub keeps no blob beside one.
  if (!fs::is_symlink(fs::symlink_status(file, failed)))
    return fs::file_size(file, failed) == order.metadata.size_bytes && !failed;
  return has_blob(cache_, order.metadata) &&
         fs::equivalent(file, cache_.blob(order.metadata.etag), failed) && !failed;
}

void SnapshotBuilder::take_metadata(const std::vector<std::string>& names) {
  orders_.clear();
  for (const std::string& name : names) {
    orders_.push_back(std::make_unique<Order>());
    orders_.back()->blob = {snapshot_.id, snapshot_.commit, name, {}};
  }
  in_parallel(
      orders_.size(), hub_.parallel, stop_,
      [&](size_t thread, size_t i) {
        Order& order = *orders_[i];
        order.blob.metadata =
            client(thread).metadata(snapshot_.id, snapshot_.commit, order.blob.name);
      },
      [&] {
        if (between_) between_();
      });
  for (const auto& order : orders_) {
    order->has_blob = has_blob(cache_, order->blob.metadata);
    order->is_placed = is_placed(order->blob);
    order->count.here = order->has_blob || order->is_placed
                            ? order->blob.metadata.size_bytes
                            : left_before(cache_, order->blob.metadata);
  }
}

void SnapshotBuilder::record() {
  snapshot_.files.clear();  // of a call before: an index that was needed first
  for (const auto& order : orders_) {
    const FileMetadata& metadata = order->blob.metadata;
    snapshot_.files.push_back({order->blob.name, path(order->blob.name), metadata.size_bytes,
                               metadata.etag, order->has_blob || order->is_placed});
    snapshot_.fetched_bytes += order->count.fetched;
  }
}

void SnapshotBuilder::look_up(const std::vector<std::string>& names) {
  if (snapshot_.from_cache) return look_up_cached(names);
  take_metadata(names);
  record();
}

void SnapshotBuilder::require_space() const {
  uint64_t needed = 0;
  for (const auto& order : orders_) {
    const uint64_t size = order->blob.metadata.size_bytes;
    if (!order->has_blob && !order->is_placed) needed = sum(needed, size - order->count.here);
    if (!hub_.links && !order->is_placed) needed = sum(needed, size);
  }
  const uint64_t free = free_bytes(cache_.blobs());
  if (needed > free)
    throw Error(ErrorKind::kResource,
                text("'", shown(snapshot_.id), "' needs ", bytes_text(needed), " more, and ",
                     bytes_text(free), " are free in the cache '", hub_.cache.string(),
                     "'; make room (plumb cache rm) or set HF_HUB_CACHE "
                     "to another disk"));
}

void SnapshotBuilder::watch() const {
  if (between_) between_();
  if (!progress_ || orders_.empty()) return;
  uint64_t done = 0, all = 0;
  for (const auto& order : orders_) {
    done = sum(done, order->count.here);
    all = sum(all, order->blob.metadata.size_bytes);
  }
  progress_(done, all);
}

void SnapshotBuilder::fetch(const std::vector<std::string>& names) {
  if (snapshot_.from_cache) return look_up_cached(names);
  take_metadata(names);
  require_space();
  std::vector<Order*> missing;
  for (const auto& order : orders_)
    if (!order->is_placed) missing.push_back(order.get());
  if (!missing.empty()) cache_.make_folders();
  // The largest first, so that the last thread to finish is not the one with most to do.
  std::stable_sort(missing.begin(), missing.end(), [](const Order* a, const Order* b) {
    return a->blob.metadata.size_bytes > b->blob.metadata.size_bytes;
  });
  in_parallel(
      missing.size(), hub_.parallel, stop_,
      [&](size_t thread, size_t i) {
        Order& order = *missing[i];
        download_blob(cache_, client(thread), hub_, order.blob, order.count, stop_);
        cache_.place(snapshot_.commit, order.blob.name, order.blob.metadata.etag, hub_.links);
      },
      [&] { watch(); });
  watch();
  // On a disk that takes "A" for "a" one name would now lead to the bytes of the other.
  for (const auto& order : orders_)
    if (!is_placed(order->blob))
      throw Error(ErrorKind::kResource,
                  text("'", path(order->blob.name).string(),
                       "' does not lead to its bytes; does the disk tell capital "
                       "letters from small ones?"));
  record();
}

Snapshot SnapshotBuilder::take(bool is_fetched) {
  if (is_fetched && !snapshot_.from_cache && !is_commit(snapshot_.id.revision))
    cache_.remember(snapshot_.id.revision, snapshot_.commit);
  std::sort(snapshot_.files.begin(), snapshot_.files.end(),
            [](const FetchedFile& a, const FetchedFile& b) { return a.name < b.name; });
  return std::move(snapshot_);
}

}  // namespace plumb::harness
