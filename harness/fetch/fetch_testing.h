#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/testing.h"
#include "fixtures/hub/loopback_hub.h"
#include "harness/fetch/fetch.h"

/// A Hub on loopback with one repository, a cache of its own, and what must hold of every cache. For tests alone.
namespace plumb::harness::testing {

inline constexpr const char* kCommit = "00112233445566778899aabbccddeeff00112233";
inline constexpr const char* kLaterCommit = "ffeeddccbbaa99887766554433221100ffeeddcc";
inline constexpr const char* kToken = "hf_TheSecretOfTheTests";

/// Bytes that no compression shortens and no two seeds share.
std::string noise(size_t size, uint64_t seed);

/// "org/model" with plain.json (git's hash, sent by the Hub itself) and large.safetensors (sha256, sent by the other
/// server after a redirect); a later commit of both waits under the branch "later".
class HubTrial {
 public:
  HubTrial();

  fixtures::LoopbackHub& hub() { return hub_; }
  HubSettings& settings() { return settings_; }
  std::filesystem::path cache() const { return folder_ / "cache"; }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  const fixtures::HubFile& plain() const { return plain_; }
  const fixtures::HubFile& large() const { return large_; }

  std::filesystem::path blob(const fixtures::HubFile& file) const;
  std::filesystem::path incomplete(const fixtures::HubFile& file) const;
  /// What an interrupted download of `file` would have left: these bytes.
  void leave_incomplete(const fixtures::HubFile& file, const std::string& bytes) const;

  Snapshot fetch(const std::string& name, const std::string& revision = "main") const;

  /// Every blob's hash is its name, every link of a snapshot leads to a blob of the same repository, every ref is a commit,
  /// no file that Plumb made has another name, and nothing was written beside the cache.
  void expect_sound_cache() const;
  /// No request that carried an Authorization header came in at another address or port than the Hub's.
  void expect_token_at_the_hub_alone() const;

 private:
  plumb::testing::TemporaryFolder folder_;
  fixtures::HubFile plain_, large_;
  fixtures::LoopbackHub hub_;
  HubSettings settings_;
};

void expect_sound_cache(const std::filesystem::path& cache);

/// How a case ended: the right file, or an error.
struct Ending {
  std::optional<ErrorKind> kind;  ///< none: the right file
  std::string said;               ///< of the error
};
/// Fetches one file. The bytes in the snapshot are the Hub's, or there is no such file; nothing in between.
Ending fetch_one(HubTrial& trial, const fixtures::HubFile& file);

inline constexpr int kOnce = 1, kAlways = 1'000'000;

struct FaultCase {
  const char* name = "";
  fixtures::HubFault fault = {};
  int times = kAlways;                 ///< how many of the requests it is done to
  std::optional<ErrorKind> kind = {};  ///< none: the right file all the same
  const char* words = "";              ///< in the error
  /// HubSettings' timeouts. They are long where nothing stalls, so that a busy machine is no fault.
  std::chrono::milliseconds window{30'000};
};

/// For faults that bring nothing, or too little.
inline constexpr std::chrono::milliseconds kShort{200};

/// "25 faults of the bytes", for who counts.
void print_count(const char* of_what, size_t faults);

/// Requests that bring the bytes of `file`.
fixtures::HubRule body_of(const fixtures::HubFile& file);

/// Fetches `file` under the fault and holds the ending to the case; then, with a Hub that is well again, the next call must
/// end with the right file. Prints a line.
void expect_ending(HubTrial& trial, const fixtures::HubFile& file, const FaultCase& fault,
                   fixtures::HubRule rule);

}  // namespace plumb::harness::testing
