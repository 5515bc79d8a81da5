#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace plumb::harness {

/// Results of stages below `<run folder>/.stages/<stage>-<hash>/`. The hash is over `key`: everything that decides the
/// result (inputs' hashes, settings, versions). An entry whose bytes do not match their checksum, or whose key is
/// another one, does not exist: it is recomputed, never trusted.
class StageCache {
 public:
  explicit StageCache(std::filesystem::path run_folder);

  static std::string entry_name(const std::string& stage, const nlohmann::ordered_json& key);

  std::optional<nlohmann::ordered_json> load(const std::string& stage,
                                             const nlohmann::ordered_json& key) const;
  /// By the name that `entry_name` gave.
  std::optional<nlohmann::ordered_json> load(const std::string& entry) const;
  /// One file, written whole; its last line is the checksum.
  void store(const std::string& stage, const nlohmann::ordered_json& key,
             const nlohmann::ordered_json& result) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;  ///< <run folder>/.stages
};

/// `json` followed by a checksum line, and back; none where the bytes were changed.
std::string with_checksum(const nlohmann::ordered_json& json);
std::optional<nlohmann::ordered_json> read_with_checksum(const std::filesystem::path& file);

}  // namespace plumb::harness
