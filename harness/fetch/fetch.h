#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Files of the Hugging Face Hub, in the cache that huggingface_hub keeps, so that both share it:
///
///     <cache>/models--org--name/  (datasets--org--name for data sets)
///         blobs/<etag>                            one file's bytes, named by sha256 (LFS) or git blob hash
///         blobs/<etag>.incomplete                 what an interrupted download left; it is resumed
///         snapshots/<commit>/<path> -> ../../blobs/<etag>     (a copy where links are not supported)
///         refs/<revision>                         the commit that a branch or tag meant last
///     <cache>/.locks/models--org--name/<etag>.lock
namespace plumb::harness {

enum class RepositoryKind { kModel, kDataset };

/// "org/name" or "org/name@revision"; revision is a branch, a tag or a commit.
struct HubId {
  std::string repository;
  std::string revision = "main";
  RepositoryKind kind = RepositoryKind::kModel;
};

/// Whether `word` has the form of an id. It says nothing about whether the Hub has it.
bool is_hub_id(std::string_view word);
/// Error{kUsage} with the form that is needed.
HubId parse_hub_id(std::string_view word, RepositoryKind kind);

/// Where the Hub is and what may be sent to it: huggingface_hub's environment variables (HF_ENDPOINT, HF_HUB_CACHE,
/// HF_HOME, XDG_CACHE_HOME, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_OFFLINE,
/// TRANSFORMERS_OFFLINE, HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_DISABLE_SYMLINKS) and their defaults, and
/// SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE for a file of certificates.
struct HubSettings {
  std::string endpoint = "https://huggingface.co";  ///< no slash at the end
  std::filesystem::path cache;
  std::string token;  ///< empty: none; never printed, never in a result
  std::filesystem::path
      authorities;  ///< certificates of those who are trusted; empty: the system's
  bool offline = false;
  bool links = true;  ///< symbolic links in snapshots
  std::chrono::milliseconds metadata_timeout{10'000};
  std::chrono::milliseconds stall_timeout{
      10'000};  ///< a transfer that brings nothing for so long is tried again
  std::chrono::milliseconds first_backoff{
      1'000};        ///< doubled with every try in a row that brought nothing
  int tries = 5;     ///< in a row that brought nothing
  int parallel = 4;  ///< files at once
  /// Names: a list of as many may have been cut by the Hub, and folders are asked for one by one.
  size_t whole_listing = 50'000;
};
/// Error{kUsage} for an endpoint that is no http(s) address (http only to loopback) and for a token with control
/// characters; neither is printed whole.
HubSettings hub_settings();

/// Which files of a repository. A pattern with wildcards takes no hidden file and no pickle; to name one is an error.
struct FileChoice {
  /// With * (also across '/') and ?, matched against whole paths; a file that matches any is taken. None: every file.
  std::vector<std::string> patterns;
};

struct FetchedFile {
  std::string name;            ///< path in the repository
  std::filesystem::path path;  ///< in the snapshot
  uint64_t size_bytes = 0;
  std::string
      hash;  ///< the etag: sha256 (64 digits) or git blob hash (40); empty: a copy, and the Hub not asked
  bool was_cached = false;
};

/// A repository at one commit.
struct Snapshot {
  HubId id;
  std::string commit;              ///< 40 hex digits
  std::filesystem::path folder;    ///< snapshots/<commit>
  std::vector<FetchedFile> files;  ///< in the order of their names
  uint64_t fetched_bytes = 0;      ///< that came over the network in this call
  bool from_cache = false;  ///< the Hub was not asked: offline by choice, or not to be reached
};

/// Bytes so far and in all, over all files of the call.
using FetchProgress = std::function<void(uint64_t done, uint64_t all)>;

/// What the Hub has and what is missing here, without fetching a file: names, sizes, hashes. `was_cached` says which
/// are here. Errors as `fetch`.
Snapshot look_up(const HubSettings& hub, const HubId& id, const FileChoice& choice);

/// Fetches the chosen files of the repository at the commit that the revision means now; files whose bytes are in the
/// cache are not fetched again, and interrupted ones go on where they stopped, also those of another process. A file's
/// bytes are hashed while they stream in and it is placed only when the hash is the Hub's. `progress` and `between` are
/// called about ten times a second by the thread that called; either may throw to stop. Offline, and where the Hub cannot
/// be reached at all, what the cache holds is used.
///
/// Error{kUsage} for a repository, a revision or a file that is not there; Error{kNetwork} for what the network, the Hub or
/// authentication refuses, and offline for what the cache lacks; Error{kInput} for bytes that are not what the Hub said, a
/// pickle, or a path that leaves the folder; Error{kResource} for a disk that is full (checked first), read-only, or
/// failing. No wrong file is ever in the cache.
Snapshot fetch(const HubSettings& hub, const HubId& id, const FileChoice& choice,
               const FetchProgress& progress = {}, const std::function<void()>& between = {});

/// The files of a model that Plumb reads: config.json, generation_config.json, tokenizer files, README.md (the licence), and
/// the weights: model.safetensors or the shards of model.safetensors.index.json; where there is neither, the one .gguf
/// file. Never a pickle. Error{kInput} where a repository has no such weights, or several .gguf files.
Snapshot fetch_model(const HubSettings& hub, const HubId& id, const FetchProgress& progress = {},
                     const std::function<void()>& between = {});
/// What Checkpoint::open takes: the folder, or the .gguf file in it.
std::filesystem::path model_path(const Snapshot& snapshot);
/// The same, without fetching more than the index of shards.
Snapshot look_up_model(const HubSettings& hub, const HubId& id);

}  // namespace plumb::harness
