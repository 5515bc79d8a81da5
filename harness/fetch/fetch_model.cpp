// Which files of a repository are its model.

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "harness/cli/console.h"
#include "harness/fetch/fetch.h"
#include "harness/fetch/hub.h"
#include "harness/fetch/snapshot_builder.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
/// Beside the weights: what Plumb reads or copies into a pruned folder. README.md and LICENSE have the licence.
constexpr std::array kBeside = {"config.json",
                                "generation_config.json",
                                "tokenizer.json",
                                "tokenizer_config.json",
                                "tokenizer.model",
                                "special_tokens_map.json",
                                "added_tokens.json",
                                "vocab.json",
                                "merges.txt",
                                "qwen.tiktoken",
                                "chat_template.jinja",
                                "chat_template.json",
                                "README.md",
                                "LICENSE",
                                "LICENSE.txt",
                                "LICENSE.md",
                                "NOTICE",
                                "NOTICE.txt"};
constexpr uintmax_t kLongestIndex = 64u << 20;

/// The shards that the fetched index names. Its names are not trusted: they become paths.
std::vector<std::string> shards_of(const fs::path& index) try {
  if (fs::file_size(index) > kLongestIndex)
    throw Error(ErrorKind::kInput, text("it is longer than ", kLongestIndex, " bytes"));
  std::set<std::string> shards;
  try {
    const auto json = parse_json(read_file(index));
    for (const auto& [tensor, file] : json.at("weight_map").items())
      shards.insert(file.get<std::string>());
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::kInput, "it has no weight_map of tensor names and file names");
  }
  for (const std::string& shard : shards)
    if (!is_safe_path(shard) || !shard.ends_with(".safetensors"))
      throw Error(ErrorKind::kInput, text("it names the file '", printable(shard.substr(0, 200)),
                                          "', needed the plain "
                                          "relative path of a .safetensors file"));
  if (shards.empty()) throw Error(ErrorKind::kInput, "its weight_map is empty");
  return {shards.begin(), shards.end()};
} catch (const Error& error) {
  throw error.within(kIndex);
}

/// The one GGUF file of a repository without safetensors.
std::string gguf_of(const SnapshotBuilder& builder, const HubId& id) {
  std::vector<std::string> found;
  std::string pickle;
  for (const std::string& name : builder.names()) {
    if (name.ends_with(".gguf")) found.push_back(name);
    if (is_pickle(name) && pickle.empty()) pickle = name;
  }
  const std::string whose = text("'", shown(id), "' has ");
  if (found.size() > 1) {
    const std::string list = text(found.size(), " GGUF files (", printable(found.front()), ", ..)");
    throw Error(ErrorKind::kInput,
                text(whose, list, ", needed is one: take it with `plumb fetch ", id.repository,
                     " --include NAME` and "
                     "give --model the path that it prints"));
  }
  if (found.empty() && !pickle.empty())
    throw Error(ErrorKind::kInput,
                text(whose, "no safetensors, only files such as '", printable(pickle),
                     "', a pickle, which can run any "
                     "code when it is read; Plumb fetches none: choose a revision or a copy that "
                     "has safetensors"));
  if (found.empty())
    throw Error(ErrorKind::kInput, text(whose, "neither ", kSingle, " nor ", kIndex,
                                        " nor a .gguf file; is it a model?"));
  if (!is_safe_path(found.front()))
    throw Error(ErrorKind::kInput, text(whose, "a file named '", printable(found.front()),
                                        "', which is no plain path"));
  return found.front();
}

/// The Hub was not asked, and an earlier fetch did not end.
[[noreturn]] void refuse_incomplete(const HubId& id, const std::string& missing) {
  throw Error(ErrorKind::kNetwork, text("the cache has no ", missing, " of '", shown(id),
                                        "'; fetch it once where there is a network"));
}

std::vector<std::string> weights_of(SnapshotBuilder& builder, const HubId& id) {
  if (builder.has(kSingle)) return {kSingle};
  if (!builder.has(kIndex)) {
    const auto is_gguf = [](const std::string& name) { return name.ends_with(".gguf"); };
    if (builder.is_cached() &&
        std::none_of(builder.names().begin(), builder.names().end(), is_gguf))
      refuse_incomplete(id, "weights");
    return {gguf_of(builder, id)};
  }
  builder.fetch({kIndex});
  std::vector<std::string> names = shards_of(builder.path(kIndex));
  for (const std::string& name : names) {
    if (builder.has(name)) continue;
    if (builder.is_cached()) refuse_incomplete(id, text("'", name, "'"));
    throw Error(ErrorKind::kInput,
                text(kIndex, " names '", name, "', which '", shown(id), "' does not have"));
  }
  return names;
}

std::vector<std::string> model_files(SnapshotBuilder& builder, const HubId& id) {
  std::vector<std::string> names = weights_of(builder, id);
  for (const char* name : kBeside)
    if (builder.has(name)) names.emplace_back(name);
  if (builder.has(kIndex) && !builder.has(kSingle)) names.emplace_back(kIndex);
  return names;
}

}  // namespace

Snapshot fetch_model(const HubSettings& hub, const HubId& id, const FetchProgress& progress,
                     const std::function<void()>& between) {
  SnapshotBuilder builder(hub, id, progress, between);
  builder.fetch(model_files(builder, id));
  return builder.take(true);
}

Snapshot look_up_model(const HubSettings& hub, const HubId& id) {
  SnapshotBuilder builder(hub, id, {}, {});
  builder.look_up(model_files(builder, id));
  return builder.take(false);
}

fs::path model_path(const Snapshot& snapshot) {
  for (const FetchedFile& file : snapshot.files)
    if (file.name.ends_with(".gguf")) return file.path;
  return snapshot.folder;
}

}  // namespace plumb::harness
