#include "harness/fetch/cache_survey.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "harness/fetch/cache.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPartial = ".incomplete";

/// "models--org--name" and "datasets--org--name" back to an id.
std::optional<HubId> id_of(const std::string& folder) {
  const size_t first = folder.find("--");
  if (first == std::string::npos) return std::nullopt;
  const std::string kind = folder.substr(0, first);
  std::string repository = folder.substr(first + 2);
  if (const size_t second = repository.find("--"); second != std::string::npos)
    repository = text(repository.substr(0, second), "/", repository.substr(second + 2));
  if ((kind != "models" && kind != "datasets") || !is_hub_id(repository)) return std::nullopt;
  return HubId{repository, "main",
               kind == "models" ? RepositoryKind::kModel : RepositoryKind::kDataset};
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code failed;
  std::vector<fs::path> out;
  if (!fs::is_directory(folder, failed)) return out;
  for (const auto& entry : fs::directory_iterator(folder, failed)) out.push_back(entry.path());
  if (failed)
    throw Error(ErrorKind::kInput,
                text("cannot read the folder '", folder.string(), "': ", failed.message()));
  std::sort(out.begin(), out.end());
  return out;
}

/// Everything below the folder that is no folder; links are not followed.
std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const fs::path& path : entries(folder)) {
    std::error_code failed;
    if (fs::is_directory(fs::symlink_status(path, failed))) {
      const auto below = files_below(path);
      out.insert(out.end(), below.begin(), below.end());
    } else {
      out.push_back(path);
    }
  }
  return out;
}

uint64_t size_of(const fs::path& file) {
  std::error_code failed;
  const uint64_t size = fs::file_size(file, failed);
  return failed ? 0 : size;
}

std::map<std::string, std::vector<std::string>> references_of(const fs::path& repository) {
  std::map<std::string, std::vector<std::string>> out;
  for (const fs::path& file : files_below(repository / "refs")) {
    if (size_of(file) != 40) continue;
    out[read_file(file)].push_back(file.lexically_relative(repository / "refs").generic_string());
  }
  return out;
}

CachedRepository survey_repository(const HubId& id, const fs::path& folder) {
  CachedRepository out;
  out.id = id;
  out.folder = folder;
  const auto references = references_of(folder);
  for (const fs::path& snapshot : entries(folder / "snapshots")) {
    CachedRevision revision;
    revision.commit = snapshot.filename().string();
    if (const auto found = references.find(revision.commit); found != references.end())
      revision.references = found->second;
    for (const fs::path& file : files_below(snapshot)) {
      ++revision.file_count;
      revision.bytes += size_of(file);
    }
    out.revisions.push_back(revision);
  }
  for (const fs::path& file : entries(folder / "blobs")) {
    const bool partial = file.filename().string().ends_with(kPartial);
    (partial ? out.partials : out.blobs).push_back(file);
    (partial ? out.partial_bytes : out.blob_bytes) += size_of(file);
  }
  // Where links are not supported the files themselves stand in the snapshots.
  for (const fs::path& file : files_below(folder / "snapshots"))
    if (!fs::is_symlink(fs::symlink_status(file))) out.blob_bytes += size_of(file);
  return out;
}

/// What is wrong with a snapshot's name, or nothing.
std::string fault_of_link(const CachedRepository& repository, const fs::path& file) {
  std::error_code failed;
  if (!fs::is_symlink(fs::symlink_status(file, failed))) return {};
  if (!fs::exists(file, failed)) return "leads to a file that is not there";
  const fs::path target = fs::canonical(file, failed);
  const fs::path blobs = fs::canonical(repository.folder / "blobs", failed);
  return target.parent_path() == blobs ? "" : "leads out of the repository's blobs";
}

void remove_file(const fs::path& file) {
  std::error_code failed;
  fs::remove(file, failed);
  if (failed)
    throw Error(ErrorKind::kResource,
                text("cannot remove '", file.string(), "': ", failed.message()));
}

}  // namespace

std::vector<CachedRepository> survey_cache(const fs::path& cache) {
  std::vector<CachedRepository> out;
  for (const fs::path& folder : entries(cache))
    if (const auto id = id_of(folder.filename().string()))
      out.push_back(survey_repository(*id, folder));
  return out;
}

std::vector<CacheFault> verify_repository(const CachedRepository& repository,
                                          const FetchProgress& progress,
                                          const std::function<void()>& between) {
  std::vector<CacheFault> faults;
  uint64_t done = 0, all = 0;
  for (const fs::path& blob : repository.blobs) all += size_of(blob);
  for (const fs::path& blob : repository.blobs) {
    const std::string name = blob.filename().string();
    if (!is_etag(name)) {
      faults.push_back({blob, "its name is no hash, so it cannot be checked"});
      continue;
    }
    const std::string hash = content_hash_of_file(blob, name, between);
    if (hash != name)
      faults.push_back(
          {blob, text("its bytes have the hash ", hash, " (", size_of(blob), " bytes)")});
    done += size_of(blob);
    if (progress) progress(done, all);
  }
  for (const fs::path& file : files_below(repository.folder / "snapshots"))
    if (const std::string fault = fault_of_link(repository, file); !fault.empty())
      faults.push_back({file, fault});
  return faults;
}

uint64_t remove_partials(const fs::path& cache, const CachedRepository& repository) {
  const RepositoryCache layout(cache, repository.id);
  const StopFlag stop = true;  // do not wait for a lock
  uint64_t freed = 0;
  for (const fs::path& partial : repository.partials) {
    const std::string name = partial.filename().string();
    const std::string etag = name.substr(0, name.find('.'));
    try {
      std::optional<FileLock> lock;
      if (fs::exists(layout.lock(etag))) lock.emplace(layout.lock(etag), stop);
      const uint64_t size = size_of(partial);
      remove_file(partial);
      freed += size;
    } catch (const Stopped&) {  // it is being fetched
    }
  }
  return freed;
}

uint64_t remove_repository(const fs::path& cache, const CachedRepository& repository) {
  const StopFlag stop = true;
  const fs::path locks = cache / ".locks" / cache_folder_name(repository.id);
  std::vector<std::unique_ptr<FileLock>> held;
  for (const fs::path& lock : files_below(locks)) {
    try {
      held.push_back(std::make_unique<FileLock>(lock, stop));
    } catch (const Stopped&) {
      throw Error(ErrorKind::kResource, text("'", repository.id.repository,
                                             "' is being fetched by another process "
                                             "now; stop it first, or wait for it"));
    }
  }
  // Names first: what is interrupted here must not leave a name without its bytes.
  for (const char* part : {"refs", "snapshots", ""}) {
    std::error_code failed;
    fs::remove_all(repository.folder / part, failed);
    if (failed)
      throw Error(ErrorKind::kResource,
                  text("cannot remove '", repository.folder.string(), "': ", failed.message()));
  }
  std::error_code ignored;
  fs::remove_all(locks, ignored);
  return repository.blob_bytes + repository.partial_bytes;
}

}  // namespace plumb::harness
