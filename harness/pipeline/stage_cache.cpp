#include "harness/pipeline/stage_cache.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json_fields.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view kChecksum = "\nsha256 ";

std::string canonical(const Json& key) { return nlohmann::json(key).dump(); }

}  // namespace

std::string with_checksum(const Json& json) {
  std::string out = json.dump();
  const std::string sum = sha256_hex(out);
  out += kChecksum;
  return out + sum + "\n";
}

std::optional<Json> read_with_checksum(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  try {
    const std::string bytes = read_file(file);
    const size_t mark = bytes.rfind(kChecksum);
    if (mark == std::string::npos) return std::nullopt;
    const std::string_view body = std::string_view(bytes).substr(0, mark);
    if (bytes.substr(mark + kChecksum.size()) != sha256_hex(body) + "\n") return std::nullopt;
    return parse_json(body);
  } catch (const Error&) {
    return std::nullopt;  // unreadable is the same as absent: the stage is computed again
  }
}

StageCache::StageCache(std::filesystem::path run_folder)
    : folder_(std::move(run_folder) / ".stages") {}

std::string StageCache::entry_name(const std::string& stage, const Json& key) {
  return stage + "-" + sha256_hex(canonical(key)).substr(0, 16);
}

std::optional<Json> StageCache::load(const std::string& stage, const Json& key) const {
  const auto found = read_with_checksum(folder_ / entry_name(stage, key) / "result.json");
  if (!found || !found->contains("key") || !found->contains("result")) return std::nullopt;
  if (canonical(found->at("key")) != canonical(key)) return std::nullopt;
  return found->at("result");
}

std::optional<Json> StageCache::load(const std::string& entry) const {
  if (entry.find('/') != std::string::npos) return std::nullopt;
  const auto found = read_with_checksum(folder_ / entry / "result.json");
  if (!found || !found->contains("result")) return std::nullopt;
  return found->at("result");
}

void StageCache::store(const std::string& stage, const Json& key, const Json& result) const {
  const auto folder = folder_ / entry_name(stage, key);
  require_writable_folder(folder);
  write_file_atomically(folder / "result.json",
                        with_checksum(Json{{"key", key}, {"result", result}}));
}

}  // namespace plumb::harness
