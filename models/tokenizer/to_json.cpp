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

const char* prepend_name(PreTokenizerStep::Prepend prepend) {
  using Prepend = PreTokenizerStep::Prepend;
  return prepend == Prepend::kAlways ? "always" : prepend == Prepend::kFirst ? "first" : "never";
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
    case Kind::kMetaspace:
      return {{"type", "Metaspace"},
              {"replacement", step.pattern},
              {"prepend_scheme", prepend_name(step.prepend)},
              {"split", step.split}};
  }
  throw Error(ErrorKind::kInvariant, "a pre-tokenizer step without a name");
}

Json to_json(const NormalizerStep& step) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kNfc:
      return {{"type", "NFC"}};
    case Kind::kPrepend:
      return {{"type", "Prepend"}, {"prepend", step.content}};
    case Kind::kReplace:
      return {{"type", "Replace"},
              {"pattern", {{step.literal ? "String" : "Regex", step.pattern}}},
              {"content", step.content}};
  }
  throw Error(ErrorKind::kInvariant, "a normaliser step without a name");
}

Json normalizer(const std::vector<NormalizerStep>& steps) {
  if (steps.empty()) return {};
  if (steps.size() == 1) return to_json(steps[0]);
  Json list = Json::array();
  for (const NormalizerStep& step : steps) list.push_back(to_json(step));
  return {{"type", "Sequence"}, {"normalizers", list}};
}

Json decoder(const TokenizerDefinition& definition) {
  if (definition.symbols == TokenizerDefinition::Symbols::kBytes)
    return {{"type", "ByteLevel"},
            {"add_prefix_space", true},
            {"trim_offsets", true},
            {"use_regex", true}};
  Json list = {{{"type", "Replace"}, {"pattern", {{"String", kSpaceSymbol}}}, {"content", " "}},
               {{"type", "ByteFallback"}},
               {{"type", "Fuse"}}};
  if (definition.strip_first_space)
    list.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", list}};
}

Json pre_tokenizer(const std::vector<PreTokenizerStep>& steps) {
  if (steps.empty()) return {};
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
  for (const Merge& merge : definition.merges) {
    if (merge.left < 0 || merge.right < 0) continue;  // `tokenizers` merges tokens only
    merges.push_back(
        {tokens[static_cast<size_t>(merge.left)], tokens[static_cast<size_t>(merge.right)]});
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", definition.unknown ? Json(definition.token(*definition.unknown)) : Json()},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", definition.fuse_unknown},
          {"byte_fallback", definition.byte_fallback},
          {"ignore_merges", definition.ignore_merges},
          {"vocab", vocabulary(definition)},
          {"merges", merges}};
}

}  // namespace

std::string tokenizer_json(const TokenizerDefinition& definition) {
  Json added = Json::array();
  for (const AddedToken& token : definition.added) added.push_back(to_json(token));
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", normalizer(definition.normalizer)},
                     {"pre_tokenizer", pre_tokenizer(definition.steps)},
                     {"post_processor", post_processor(definition)},
                     {"decoder", decoder(definition)},
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
