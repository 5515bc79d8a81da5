#include "harness/pipeline/facts.h"

#include <ATen/Version.h>
#include <torch/version.h>

#include <filesystem>
#include <map>

#include "base/environment.h"
#include "base/error.h"
#include "models/compute_device.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

ModelFacts model_facts(const models::Checkpoint& checkpoint, const models::Origin& origin) {
  const models::ModelConfig& config = checkpoint.config();
  ModelFacts facts;
  facts.file = checkpoint.files().at(0).filename().string();
  if (checkpoint.files().size() > 1)
    facts.file += text(" and ", checkpoint.files().size() - 1, " more");
  facts.origin = origin;
  facts.name =
      config.name == origin.commit ? origin.repository : config.name;  // a snapshot's folder
  facts.architecture = config.architecture;
  facts.license = config.license;
  facts.sha256 = checkpoint.sha256();
  facts.block_count = config.block_count;
  facts.width = config.width;
  facts.vocabulary_size = config.vocabulary_size;
  for (const auto& file : checkpoint.files()) facts.file_bytes += std::filesystem::file_size(file);
  std::map<std::string, int64_t> types;
  for (const auto& tensor : checkpoint.tensors()) {
    facts.parameters += tensor.element_count();
    ++types[std::string(models::stored_type_name(tensor.type))];
  }
  for (const auto& [type, count] : types)
    facts.stored_types += text(facts.stored_types.empty() ? "" : ", ", type, " x ", count);
  return facts;
}

Json origin_json(const models::Origin& origin) {
  if (!origin.is_known()) return nullptr;
  return {
      {"repository", origin.repository}, {"revision", origin.revision}, {"commit", origin.commit}};
}

Json to_json(const ModelFacts& f) {
  return {{"file", f.file},
          {"origin", origin_json(f.origin)},
          {"name", f.name},
          {"architecture", f.architecture},
          {"license", f.license},
          {"sha256", f.sha256},
          {"block_count", f.block_count},
          {"width", f.width},
          {"vocabulary_size", f.vocabulary_size},
          {"file_bytes", f.file_bytes},
          {"parameters", f.parameters},
          {"stored_types", f.stored_types}};
}

ModelFacts model_facts_from_json(const Json& j) {
  ModelFacts f;
  f.file = j.at("file");
  if (const Json& origin = j.at("origin"); !origin.is_null())
    f.origin = {origin.at("repository"), origin.at("revision"), origin.at("commit")};
  f.name = j.at("name");
  f.architecture = j.at("architecture");
  f.license = j.at("license");
  f.sha256 = j.at("sha256");
  f.block_count = j.at("block_count");
  f.width = j.at("width");
  f.vocabulary_size = j.at("vocabulary_size");
  f.file_bytes = j.at("file_bytes");
  f.parameters = j.at("parameters");
  f.stored_types = j.at("stored_types");
  return f;
}

Pairs policy(const Experiment& e) {
  return {{"distance", "angle between block inputs at the last token of a document, in half turns"},
          {"last block's output", "before the final norm; after it in distances_post_norm.csv"},
          {"truncation", "the first documents with at least T tokens, cut to T; no padding"},
          {"special tokens", e.special_tokens ? "as the tokenizer's files say" : "none"},
          {"positions",
           e.positions == 0 || e.positions >= e.validation.max_tokens - 1
               ? "the loss is over all positions"
               : text("the loss is over ", e.positions,
                      " positions of a document, drawn without replacement by the seed; intervals "
                      "account for it")},
          {"calibration", e.same_documents() ? "same documents"
                          : e.overlapping_documents()
                              ? "overlapping documents of the same file"
                              : "other documents than those that the loss is measured on"},
          {"intervals", text("95 % BCa by document, ", e.draws, " draws, seed ", e.seed)}};
}

Pairs text_pairs(const TextFacts& t) {
  return {{"file", t.file},
          {"sha256", t.sha256},
          {"documents", text(t.documents.size(), " x ", t.token_count, " tokens")}};
}

Pairs library_facts(const std::string& device) {
  const models::ComputeDevice opened = models::open_device(device);
  const std::string reason = models::cuda_unavailable_reason();
  Pairs out = {{"libtorch", TORCH_VERSION},
               {"CPU capability of libtorch", at::get_cpu_capability()},
               {"bf16 units", cpu_has_bf16_units() ? "yes" : "no"},
               {"CUDA plug-in", reason.empty() ? "usable" : "not used: " + reason},
               {"device", opened.name}};
  if (opened.is_cpu()) return out;
  const models::DeviceFacts facts = opened.facts();
  out.emplace_back("device product", facts.name);
  out.emplace_back("device driver", facts.driver);
  out.emplace_back("device memory", text(facts.total_bytes, " bytes"));
  return out;
}

Json pairs_json(const Pairs& pairs) {
  Json out = Json::object();
  for (const auto& [key, value] : pairs) out[key] = value;
  return out;
}

Pairs pairs_from_json(const Json& json) {
  Pairs out;
  for (const auto& [key, value] : json.items()) out.emplace_back(key, value.get<std::string>());
  return out;
}

Json common_json(const Experiment& e, const ModelFacts& model) {
  return {{"plumb", version_line()}, {"model", to_json(model)},          {"dtype", e.dtype},
          {"device", e.device},      {"device_reason", e.device_reason}, {"threads", e.threads},
          {"seed", e.seed},          {"policy", pairs_json(policy(e))}};
}

}  // namespace plumb::harness
