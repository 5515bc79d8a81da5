#include "healing/peft_adapter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "healing/modules.h"
#include "models/formats/bounds.h"
#include "models/formats/model_file.h"
#include "models/formats/safetensors.h"
#include "models/formats/weight_reader.h"

namespace plumb::healing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using models::ModelConfig;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";

std::string key_of(const ModelConfig& config, Target target, int64_t block, bool is_a) {
  return "base_model.model." + module_path(config, target, block) +
         (is_a ? ".lora_A.weight" : ".lora_B.weight");
}

/// B [out, rank] with its rows from Plumb's order to Hugging Face's, or back.
at::Tensor reordered(const at::Tensor& b, const ModelConfig& config, Target target, bool back) {
  if (target != Target::kQueryKeyValue || !has_rows_by_head(config)) return b;
  const int64_t H = config.head_count;
  const at::Tensor split = back ? b.view({H, 3, -1, b.size(1)}) : b.view({3, H, -1, b.size(1)});
  return split.transpose(0, 1).reshape(b.sizes());
}

Json config_json(const PeftAdapter& adapter, const ModelConfig& config,
                 const std::string& base_model) {
  const LoraOptions& o = adapter.options;
  Json modules = Json::array();
  for (const Target target : o.targets) modules.push_back(module_ending(config, target));
  // PEFT's classes have whole numbers where they can.
  const bool whole = o.alpha == std::floor(o.alpha) && std::abs(o.alpha) < 1e9;
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", base_model},
          {"inference_mode", true},
          {"r", o.rank},
          {"lora_alpha", whole ? Json(static_cast<int64_t>(o.alpha)) : Json(o.alpha)},
          {"lora_dropout", o.dropout},
          {"target_modules", modules},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"modules_to_save", nullptr},
          {"rank_pattern", Json::object()},
          {"alpha_pattern", Json::object()},
          {"use_rslora", false},
          {"use_dora", false}};
}

/// A setting that is neither there nor off.
bool is_set(const Json& config, const char* key) {
  if (!config.contains(key)) return false;
  const Json& value = config.at(key);
  return !(value.is_null() || value == false || (value.is_structured() && value.empty()));
}

void require_plain_lora(const Json& config) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorKind::kInput, text(what, "; only plain LoRA of linear modules can be read"));
  };
  if (!config.is_object() || config.value("peft_type", Json()) != "LORA")
    refuse("'peft_type' is not \"LORA\"");
  for (const char* key :
       {"use_dora", "use_qalora", "fan_in_fan_out", "lora_bias", "modules_to_save", "rank_pattern",
        "alpha_pattern", "layer_replication", "trainable_token_indices", "target_parameters",
        "alora_invocation_tokens", "megatron_config", "use_bdlora"})
    if (is_set(config, key))
      refuse(text("'", key, "' is ", models::printable(config.at(key).dump())));
  if (const Json bias = config.value("bias", Json("none")); bias != "none")
    refuse(text("'bias' is ", models::printable(bias.dump())));
  // These take a part of the base weights away.
  const Json init = config.value("init_lora_weights", Json(true));
  if (init.is_string() && init != "gaussian" && init != "eva" && init != "orthogonal")
    refuse(text("'init_lora_weights' is ", models::printable(init.dump())));
}

double number_of(const Json& config, const char* key, double least) {
  const Json value = config.value(key, Json());
  if (!value.is_number() || !(value.get<double>() >= least) || value.get<double>() > 1e6)
    throw Error(ErrorKind::kInput, text("'", key, "' is ", models::printable(value.dump()),
                                        ", needed a number of at least ", least));
  return value.get<double>();
}

LoraOptions options_of(const Json& config) {
  require_plain_lora(config);
  LoraOptions out;
  const double rank = number_of(config, "r", 1);
  out.rank = static_cast<int64_t>(rank);
  if (static_cast<double>(out.rank) != rank)
    throw Error(ErrorKind::kInput, text("'r' is ", rank, ", needed a whole number"));
  out.alpha = number_of(config, "lora_alpha", 0);
  if (is_set(config, "use_rslora")) out.alpha *= std::sqrt(rank);  // divided by its root, not by it
  if (config.contains("lora_dropout")) out.dropout = number_of(config, "lora_dropout", 0);
  return out;
}

struct Slot {
  int64_t block;
  Target target;
  bool is_a;
};

void read_weights(const fs::path& path, const ModelConfig& config, PeftAdapter& adapter) {
  std::map<std::string, Slot> known;
  for (int64_t block = 0; block < config.block_count; ++block)
    for (const Target target : module_targets(config))
      for (const bool is_a : {true, false})
        known[key_of(config, target, block, is_a)] = {block, target, is_a};
  const models::ModelFile file(path);
  adapter.blocks.resize(static_cast<size_t>(config.block_count));
  std::set<Target> targets;
  for (const models::TensorEntry& entry : models::parse_safetensors(file).tensors) {
    const auto found = known.find(entry.name);
    if (found == known.end())
      throw Error(ErrorKind::kInput,
                  text("tensor ", models::printable(entry.name), " is of no linear module of a ",
                       config.architecture, " of ", config.block_count,
                       " blocks; such a one is called '", known.begin()->first, "'"));
    const auto [block, target, is_a] = found->second;
    const TargetRows rows = target_rows(config, target);
    const std::vector<int64_t> shape = is_a ? std::vector{adapter.options.rank, rows.columns}
                                            : std::vector{rows.rows, adapter.options.rank};
    if (entry.shape != shape)
      throw Error(ErrorKind::kInput,
                  text("tensor '", entry.name, "' is ", at::IntArrayRef(entry.shape), ", needed ",
                       at::IntArrayRef(shape), " for rank ", adapter.options.rank));
    const at::Tensor values = at::empty(shape, at::kFloat);
    models::read_rows(file, entry, 0, 0, values);
    LoraPair& pair = adapter.blocks[static_cast<size_t>(block)].of(target);
    (is_a ? pair.a : pair.b) = is_a ? values : reordered(values, config, target, true);
    targets.insert(target);
  }
  for (const auto& [key, slot] : known) {
    const LoraPair& pair = adapter.blocks[static_cast<size_t>(slot.block)].of(slot.target);
    if (pair.a.defined() != pair.b.defined())
      throw Error(ErrorKind::kInput,
                  text("tensor '", key_of(config, slot.target, slot.block, !pair.a.defined()),
                       "' is not there; the file is not whole"));
  }
  if (targets.empty()) throw Error(ErrorKind::kInput, "there is no tensor in it");
  adapter.options.targets.assign(targets.begin(), targets.end());
}

}  // namespace

void write_peft_adapter(const fs::path& folder, const PeftAdapter& adapter,
                        const ModelConfig& config, const std::string& base_model) {
  std::vector<models::TensorToWrite> tensors;
  std::vector<at::Tensor> held;  // what the spans point to
  const auto add = [&](std::string name, const at::Tensor& values) {
    held.push_back(values.contiguous());
    tensors.push_back({std::move(name), models::StoredType::kF32, values.sizes().vec(),
                       std::span(static_cast<const std::byte*>(held.back().const_data_ptr()),
                                 static_cast<size_t>(held.back().nbytes()))});
  };
  for (size_t block = 0; block < adapter.blocks.size(); ++block)
    for (const Target target : kTargets) {
      const LoraPair& pair = adapter.blocks[block].of(target);
      if (!pair.a.defined()) continue;
      const auto index = static_cast<int64_t>(block);
      add(key_of(config, target, index, true), pair.a);
      add(key_of(config, target, index, false), reordered(pair.b, config, target, false));
    }
  models::write_safetensors(folder / kWeightsFile, tensors, {{"format", "pt"}});
  write_file_atomically(folder / kConfigFile,
                        config_json(adapter, config, base_model).dump(2) + "\n");
}

PeftAdapter read_peft_adapter(const fs::path& folder, const ModelConfig& config) {
  PeftAdapter adapter;
  const auto reading = [&](const char* name, const auto& read) {
    try {
      read(folder / name);
    } catch (const Error& error) {
      throw error.within((folder / name).string());
    }
  };
  reading(kConfigFile,
          [&](const fs::path& path) { adapter.options = options_of(parse_json(read_file(path))); });
  reading(kWeightsFile, [&](const fs::path& path) { read_weights(path, config, adapter); });
  return adapter;
}

at::Tensor merged_rows(const PeftAdapter& adapter, const ModelConfig& config, int64_t block,
                       Target target, int64_t first, int64_t count) {
  const LoraPair& pair = adapter.blocks.at(static_cast<size_t>(block)).of(target);
  const at::Tensor rows = reordered(pair.b, config, target, false).narrow(0, first, count);
  return at::matmul(rows, pair.a).mul_(adapter.options.scale());
}

}  // namespace plumb::healing
