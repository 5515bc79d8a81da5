#include "harness/fetch/fetch_testing.h"

#include <algorithm>
#include <cctype>
#include <iostream>

#include "base/file.h"
#include "base/hash.h"
#include "fixtures/formats/safetensors_file.h"

namespace plumb::harness::testing {

namespace {

namespace fs = std::filesystem;
using fixtures::HubFile;

bool is_hex(const std::string& word, size_t digits) {
  return word.size() == digits && std::all_of(word.begin(), word.end(), [](unsigned char c) {
           return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f');
         });
}

void expect_sound_blobs(const fs::path& repository) {
  if (!fs::exists(repository / "blobs")) return;
  for (const auto& entry : fs::directory_iterator(repository / "blobs")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() == ".incomplete") continue;
    ASSERT_TRUE(entry.is_regular_file() && !entry.is_symlink()) << entry.path();
    const std::string bytes = read_file(entry.path());
    if (is_hex(name, 64))
      EXPECT_EQ(sha256_hex(bytes), name);
    else if (is_hex(name, 40))
      EXPECT_EQ(fixtures::git_blob_hash(bytes), name);
    else
      ADD_FAILURE() << "a blob has the name '" << name << "'";
  }
}

void expect_sound_snapshots(const fs::path& repository) {
  if (!fs::exists(repository / "snapshots")) return;
  const fs::path blobs = fs::weakly_canonical(repository / "blobs");
  for (const auto& entry : fs::recursive_directory_iterator(repository / "snapshots")) {
    if (entry.is_directory() && !entry.is_symlink()) continue;
    if (entry.is_symlink()) {
      EXPECT_TRUE(fs::exists(entry.path())) << entry.path() << " leads nowhere";
      EXPECT_EQ(fs::weakly_canonical(entry.path()).parent_path(), blobs) << entry.path();
    } else {
      EXPECT_TRUE(entry.is_regular_file()) << entry.path();
    }
  }
  for (const auto& entry : fs::directory_iterator(repository / "snapshots"))
    EXPECT_TRUE(is_hex(entry.path().filename().string(), 40)) << entry.path();
}

}  // namespace

std::string noise(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (char& byte : bytes) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    byte = static_cast<char>(state >> 32);
  }
  return bytes;
}

HubTrial::HubTrial() {
  plain_ = {"plain.json", "{\"a\": \"" + std::string(1500, 'x') + "\"}\n"};
  large_ = {"large.safetensors", noise(50'000, 1), true};
  const HubFile later_plain = {"plain.json", "{\"a\": \"" + std::string(1500, 'y') + "\"}\n"};
  const HubFile later_large = {"large.safetensors", noise(50'000, 2), true};
  hub_.add({"org/model",
            false,
            {{kCommit, {plain_, large_}}, {kLaterCommit, {later_plain, later_large}}},
            {{"main", kCommit}, {"later", kLaterCommit}}});
  plain_.hash = fixtures::hub_hash(plain_), large_.hash = fixtures::hub_hash(large_);
  settings_.endpoint = hub_.endpoint();
  settings_.cache = cache();
  settings_.token = kToken;
  settings_.metadata_timeout = settings_.stall_timeout = FaultCase().window;
  settings_.first_backoff = std::chrono::milliseconds(1);
  settings_.tries = 3;
}

fs::path HubTrial::blob(const HubFile& file) const {
  return cache() / "models--org--model" / "blobs" / file.hash;
}
fs::path HubTrial::incomplete(const HubFile& file) const {
  return blob(file).string() + ".incomplete";
}
void HubTrial::leave_incomplete(const HubFile& file, const std::string& bytes) const {
  fixtures::put(incomplete(file), bytes);
}

Snapshot HubTrial::fetch(const std::string& name, const std::string& revision) const {
  return harness::fetch(settings_, {"org/model", revision, RepositoryKind::kModel}, {{name}});
}

void HubTrial::expect_sound_cache() const {
  testing::expect_sound_cache(settings_.cache);
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_EQ(entry.path().filename().string().rfind("cache", 0), 0U) << entry.path();
}

void HubTrial::expect_token_at_the_hub_alone() const {
  for (const auto& request : hub_.requests()) {
    const bool carried = request.headers.count("authorization") > 0;
    EXPECT_FALSE(carried && request.port != hub_.port()) << request.target;
  }
}

void expect_sound_cache(const fs::path& cache) {
  if (!fs::exists(cache)) return;
  for (const auto& entry : fs::directory_iterator(cache)) {
    const std::string name = entry.path().filename().string();
    if (name == ".locks" || name == "CACHEDIR.TAG" || name == "version.txt") continue;
    EXPECT_TRUE(name.rfind("models--", 0) == 0 || name.rfind("datasets--", 0) == 0) << name;
    for (const auto& part : fs::directory_iterator(entry.path())) {
      const std::string kind = part.path().filename().string();
      EXPECT_TRUE(kind == "blobs" || kind == "snapshots" || kind == "refs" || kind == "trees")
          << part.path();
    }
    expect_sound_blobs(entry.path());
    expect_sound_snapshots(entry.path());
    if (!fs::exists(entry.path() / "refs")) continue;
    for (const auto& ref : fs::recursive_directory_iterator(entry.path() / "refs"))
      EXPECT_TRUE(ref.is_directory() || is_hex(read_file(ref.path()), 40)) << ref.path();
  }
}

Ending fetch_one(HubTrial& trial, const HubFile& file) {
  Ending ending;
  try {
    const Snapshot snapshot = trial.fetch(file.name);
    EXPECT_EQ(snapshot.commit, kCommit);
    EXPECT_EQ(snapshot.files.size(), 1U);
    for (const FetchedFile& one : snapshot.files) {
      EXPECT_EQ(one.name, file.name);
      EXPECT_EQ(one.hash, file.hash);
      EXPECT_EQ(one.size_bytes, file.bytes.size());
      EXPECT_EQ(one.path, snapshot.folder / file.name);
      EXPECT_TRUE(read_file(one.path) == file.bytes) << "the snapshot's " << file.name;
    }
  } catch (const Error& error) {
    ending = {error.kind(), error.what()};
    const auto placed = trial.cache() / "models--org--model" / "snapshots" / kCommit / file.name;
    EXPECT_FALSE(fs::exists(placed)) << "placed although: " << error.what();
    EXPECT_EQ(ending.said.find(kToken), std::string::npos) << "the token is in the error's text";
    EXPECT_EQ(ending.said.find('\n'), std::string::npos) << ending.said;
  }
  trial.expect_sound_cache();
  trial.expect_token_at_the_hub_alone();
  return ending;
}

fixtures::HubRule body_of(const HubFile& file) {
  using Side = fixtures::HubRule::Side;
  return {.part = file.lfs ? "/lfs/" : "/resolve/",
          .method = "GET",
          .side = file.lfs ? Side::kCdn : Side::kHub};
}

void print_count(const char* of_what, size_t faults) {
  std::cout << faults << " faults " << of_what << "\n";
  ::testing::Test::RecordProperty("faults", static_cast<int>(faults));
}

void expect_ending(HubTrial& trial, const HubFile& file, const FaultCase& fault,
                   fixtures::HubRule rule) {
  SCOPED_TRACE(text(fault.name, ", ", file.name));
  HubSettings& settings = trial.settings();
  settings.metadata_timeout = settings.stall_timeout = fault.window;
  settings.tries = fault.times == kAlways ? 3 : 5;
  rule.last = rule.first + fault.times - 1;
  trial.hub().on(rule, fault.fault);
  const Ending ending = fetch_one(trial, file);
  std::cout << fault.name << (fault.times == kOnce ? ", once" : "") << " | " << file.name << " | "
            << (ending.kind ? text("error ", static_cast<int>(*ending.kind), ": ", ending.said)
                            : "the right file")
            << "\n";
  EXPECT_EQ(ending.kind, fault.kind) << ending.said;
  EXPECT_NE(ending.said.find(fault.words), std::string::npos) << ending.said;
  trial.hub().no_more_faults();
  settings.metadata_timeout = settings.stall_timeout = FaultCase().window;
  const Ending again = fetch_one(trial, file);
  EXPECT_FALSE(again.kind.has_value()) << "and then, with a Hub that is well: " << again.said;
}

}  // namespace plumb::harness::testing
