#include "harness/pipeline/model_preview.h"

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "harness/cli/console.h"
#include "harness/fetch/fetch.h"
#include "harness/pipeline/model_source.h"
#include "metrics/cost/arithmetic.h"
#include "models/formats/checkpoint.h"
#include "models/formats/config_sources.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

constexpr const char* kConfig = "config.json";
constexpr uintmax_t kLongestConfig = 4u << 20;

bool is_weights(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".gguf");
}

bool has_weights(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (is_weights(entry.path().filename().string())) return true;
  return false;
}

ModelPreview bare_config(const fs::path& file) try {
  if (const uintmax_t bytes = fs::file_size(file); bytes > kLongestConfig)
    throw Error(ErrorKind::kInput,
                text("the config has ", bytes, " bytes; at most ", kLongestConfig, " are allowed"));
  const std::string json = read_file(file);
  ModelPreview out;
  out.config = models::config_from_json(json);
  out.file_bytes = predicted_file_bytes(json, out.config);
  out.predicted = true;
  return out;
} catch (const Error& error) {
  throw error.within(printable(file.filename().string()));
}

ModelPreview local_checkpoint(const fs::path& path) {
  const auto checkpoint = models::Checkpoint::open(path);
  ModelPreview out;
  out.config = checkpoint.config();
  for (const auto& file : checkpoint.files()) out.file_bytes += fs::file_size(file);
  return out;
}

ModelPreview on_the_hub(const std::string& word) {
  const HubSettings hub = hub_settings();
  const HubId id = parse_hub_id(word, RepositoryKind::kModel);
  const Snapshot seen = look_up_model(hub, id);
  ModelPreview out;
  bool has_config = false;
  for (const FetchedFile& file : seen.files) {
    if (is_weights(file.name)) out.file_bytes += file.size_bytes;
    if (!file.was_cached) out.missing_bytes += file.size_bytes;
    has_config |= file.name == kConfig;
  }
  if (out.missing_bytes == 0) return local_checkpoint(model_path(seen));
  if (!has_config)
    throw Error(ErrorKind::kInput,
                text("'", printable(word), "' has no ", kConfig,
                     " that could be read before its weights (a GGUF file has its own): fetch it "
                     "with `plumb fetch ",
                     printable(word), "`, ", bytes_text(out.missing_bytes)));
  const Snapshot config = fetch(hub, {id.repository, seen.commit, id.kind}, {{kConfig}});
  out.config = bare_config(config.folder / kConfig).config;
  return out;
}

}  // namespace

uint64_t predicted_file_bytes(const std::string& config_json, const models::ModelConfig& config) {
  const auto json = parse_json(config_json);
  std::string dtype = "float32";
  for (const char* key : {"dtype", "torch_dtype"})
    if (json.contains(key) && json.at(key).is_string()) dtype = json.at(key).get<std::string>();
  uint64_t bytes = 0;
  if (dtype == "float32") bytes = 4;
  if (dtype == "float16" || dtype == "bfloat16") bytes = 2;
  if (bytes == 0)
    throw Error(ErrorKind::kInput, text("torch_dtype is '", printable(dtype),
                                        "', needed float32, float16 or bfloat16"));
  return bytes * static_cast<uint64_t>(metrics::model_parameters(config));
}

ModelPreview preview_model(const std::string& model, const Console& console) {
  if (fs::is_regular_file(model) && model.ends_with(".json")) return bare_config(model);
  if (fs::is_directory(model) && fs::exists(fs::path(model) / kConfig) && !has_weights(model))
    return bare_config(fs::path(model) / kConfig);
  if (means_hub(model)) return on_the_hub(model);
  return local_checkpoint(local_model(model, console).path);
}

}  // namespace plumb::harness
