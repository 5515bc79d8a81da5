#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/tokenizer/sources.h"

namespace plumb::models {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const AddedToken& token) {
  return {{"id", token.id},          {"content", token.content}, {"single_word", token.single_word},
          {"lstrip", token.lstrip},  {"rstrip", token.rstrip},   {"normalized", token.normalized},
          {"special", token.special}};
}

const char* behaviour_name(PreTokenizerStep::Behaviour behaviour) {
  using Behaviour = PreTokenizerStep::Behaviour;
  switch (behaviour) {
    case Behaviour::kRemoved:
      return "Removed";
    case Behaviour::kIsolated:
      return "Isolated";
    case Behaviour::kMergedWithPrevious:
      return "MergedWithPrevious";
    case Behaviour::kMergedWithNext:
      return "MergedWithNext";
    case Behaviour::kContiguous:
      return "Contiguous";
  }
  throw Error(ErrorKind::kInvariant, "a split behaviour without a name");
}

Json to_json(const PreTokenizerStep& step) {
  using Kind = PreTokenizerStep::Kind;
  switch (step.kind) {
    case Kind::kDigits:
      return {{"type", "Digits"}, {"individual_digits", step.individual_digits}};
    case Kind::kSplit:
      return {{"type", "Split"},
              {"pattern", {{step.literal ? "String" : "Regex", step.pattern}}},
              {"behavior", behaviour_name(step.behaviour)},
              {"invert", step.invert}};
    case Kind::kByteLevel:
      return {{"type", "ByteLevel"},
              {"add_prefix_space", step.add_prefix_space},
              {"trim_offsets", true},
              {"use_regex", step.use_regex}};
  }
  throw Error(ErrorKind::kInvariant, "a pre-tokenizer step without a name");
}

Json pre_tokenizer(const std::vector<PreTokenizerStep>& steps) {
  if (steps.size() == 1) return to_json(steps[0]);
  Json list = Json::array();
  for (const PreTokenizerStep& step : steps) list.push_back(to_json(step));
  return {{"type", "Sequence"}, {"pretokenizers", list}};
}

Json post_processor(const TokenizerDefinition& definition) {
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  Json tokens = Json::object();
  const auto around = [&](const std::vector<int32_t>& ids, int type, Json& list) {
    for (const int32_t id : ids) {
      const std::string token(definition.token(id));
      tokens[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
      list.push_back({{"SpecialToken", {{"id", token}, {"type_id", type}}}});
    }
  };
  Json single = Json::array(), pair = Json::array();
  const auto text = [&](const char* name, int type, Json& list) {
    around(definition.prefix, type, list);
    list.push_back(sequence(name, type));
    around(definition.suffix, type, list);
  };
  text("A", 0, single);
  text("A", 0, pair);
  text("B", 1, pair);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", tokens}};
}

// Appended, not looked up: an ordered object searches its keys one by one.
Json vocabulary(const TokenizerDefinition& definition) {
  Json result = Json::object();
  auto& object = result.get_ref<Json::object_t&>();
  object.reserve(definition.vocabulary.size());
  for (size_t id = 0; id < definition.vocabulary.size(); ++id)
    object.emplace_back(definition.vocabulary[id], id);
  return result;
}

Json model(const TokenizerDefinition& definition) {
  const auto& tokens = definition.vocabulary;
  Json merges = Json::array();
  for (const Merge& merge : definition.merges)
    merges.push_back(
        {tokens[static_cast<size_t>(merge.left)], tokens[static_cast<size_t>(merge.right)]});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", definition.unknown ? Json(definition.token(*definition.unknown)) : Json()},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", definition.fuse_unknown},
          {"byte_fallback", false},
          {"ignore_merges", definition.ignore_merges},
          {"vocab", vocabulary(definition)},
          {"merges", merges}};
}

}  // namespace

std::string tokenizer_json(const TokenizerDefinition& definition) {
  Json added = Json::array();
  for (const AddedToken& token : definition.added) added.push_back(to_json(token));
  const bool nfc = definition.normalizer == Normalizer::kNfc;
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nfc ? Json{{"type", "NFC"}} : Json()},
                     {"pre_tokenizer", pre_tokenizer(definition.steps)},
                     {"post_processor", post_processor(definition)},
                     {"decoder",
                      {{"type", "ByteLevel"},
                       {"add_prefix_space", true},
                       {"trim_offsets", true},
                       {"use_regex", true}}},
                     {"model", model(definition)}};
  return json.dump(2) + "\n";
}

std::string tokenizer_config_json(const TokenizerDefinition& definition) {
  if (!definition.config_json.empty() && definition.chat_template.empty())
    return definition.config_json;
  Json config =
      definition.config_json.empty() ? Json::object() : Json::parse(definition.config_json);
  if (definition.config_json.empty()) {
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
    config["clean_up_tokenization_spaces"] = false;
    const auto name = [&](const char* key, std::optional<int32_t> id) {
      if (id) config[key] = definition.token(*id);
    };
    name("bos_token", definition.bos);
    name("eos_token", definition.eos);
    name("unk_token", definition.unk);
    name("pad_token", definition.pad);
    if (definition.max_length > 0) config["model_max_length"] = definition.max_length;
  }
  if (!definition.chat_template.empty() && !config.contains("chat_template"))
    config["chat_template"] = definition.chat_template;
  return config.dump(2) + "\n";
}

}  // namespace plumb::models
