#include <algorithm>
#include <array>

#include "base/error.h"
#include "models/tokenizer/json_reader.h"
#include "models/tokenizer/sources.h"

namespace plumb::models {
namespace {

using Kind = PreTokenizerStep::Kind;
using Behaviour = PreTokenizerStep::Behaviour;

[[noreturn]] void refuse_type(const JsonObject& object, const char* known) {
  object.refuse(text("type ", in_quotes(object.type()), " is not supported; Plumb knows ", known));
}

void read_vocabulary(const JsonObject& model, TokenizerDefinition& definition) {
  const auto& vocabulary = model.at("vocab");
  if (!vocabulary.is_object()) model.refuse("'vocab' must be an object from token to id");
  definition.vocabulary.resize(vocabulary.size());
  for (const auto& [token, id_value] : vocabulary.items()) {
    const auto id = static_cast<size_t>(read_token_id(id_value, model.path() + ".vocab"));
    if (id >= definition.vocabulary.size())
      model.refuse(text("token ", in_quotes(token), " has id ", id, " in a vocabulary of ",
                        vocabulary.size(), "; ids must not leave holes"));
    if (!definition.vocabulary[id].empty())
      model.refuse(text("tokens ", in_quotes(definition.vocabulary[id]), " and ", in_quotes(token),
                        " share id ", id));
    definition.vocabulary[id] = token;
  }
}

// ["left", "right"], or "left right" in older files.
void read_merges(const JsonObject& model, TokenizerDefinition& definition) {
  const VocabularyIndex index(definition.vocabulary);
  const auto& merges = model.at("merges");
  if (!merges.is_array()) model.refuse("'merges' must be an array");
  definition.merges.reserve(merges.size());
  for (const auto& merge : merges) {
    const size_t rank = definition.merges.size();
    std::string left, right;
    if (merge.is_string()) {
      const auto& both = merge.get_ref<const std::string&>();
      const size_t space = both.find(' ');
      left = both.substr(0, space);
      if (space != std::string::npos && both.find(' ', space + 1) == std::string::npos)
        right = both.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    }
    if (left.empty() || right.empty())
      model.refuse(text("merge ", rank, " must be two tokens, found ", in_quotes(merge.dump())));
    definition.merges.push_back(index.merge(left, right, rank));
  }
  if (model.has("unk_token")) {
    definition.unknown = index.find(model.string("unk_token"));
    if (!definition.unknown)
      model.refuse(
          text("unk_token ", in_quotes(model.string("unk_token")), " is not in the vocabulary"));
  }
}

void read_model(const JsonObject& model, TokenizerDefinition& definition) {
  // Files of before the field came are BPE when they have merges.
  const std::string type = model.string("type", model.has("merges") ? "BPE" : "unknown");
  if (type != "BPE")
    model.refuse(text("type ", in_quotes(type), " is not supported; Plumb reads byte-level BPE"));
  if (model.has("dropout") && model.at("dropout") != 0.0)
    model.refuse("dropout makes ids random; it must be null");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.string(key, "").empty())
      model.refuse(text("'", key, "' is not supported; it must be empty"));
  if (model.flag("byte_fallback", false))
    model.refuse("byte_fallback is not supported; byte-level BPE has no use for it");
  definition.ignore_merges = model.flag("ignore_merges", false);
  definition.fuse_unknown = model.flag("fuse_unk", false);
  read_vocabulary(model, definition);
  read_merges(model, definition);
}

void read_normalizer(const JsonObject& normalizer, TokenizerDefinition& definition) {
  const std::string type = normalizer.type();
  if (type == "Sequence") {
    for (const JsonObject& step : normalizer.objects("normalizers"))
      read_normalizer(step, definition);
  } else if (type == "NFC") {
    definition.normalizer = Normalizer::kNfc;
  } else {
    refuse_type(normalizer, "NFC and none");
  }
}

Behaviour read_behaviour(const JsonObject& split) {
  constexpr std::array<std::pair<const char*, Behaviour>, 5> kNames = {{
      {"Removed", Behaviour::kRemoved},
      {"Isolated", Behaviour::kIsolated},
      {"MergedWithPrevious", Behaviour::kMergedWithPrevious},
      {"MergedWithNext", Behaviour::kMergedWithNext},
      {"Contiguous", Behaviour::kContiguous},
  }};
  const std::string name = split.string("behavior");
  for (const auto& [known, behaviour] : kNames)
    if (name == known) return behaviour;
  split.refuse(text("behavior ", in_quotes(name), " is not known"));
}

void read_pre_tokenizer(const JsonObject& step, TokenizerDefinition& definition) {
  const std::string type = step.type();
  if (type == "Sequence") {
    for (const JsonObject& inner : step.objects("pretokenizers"))
      read_pre_tokenizer(inner, definition);
  } else if (type == "ByteLevel") {
    definition.steps.push_back({.kind = Kind::kByteLevel,
                                .add_prefix_space = step.flag("add_prefix_space", true),
                                .use_regex = step.flag("use_regex", true)});
  } else if (type == "Digits") {
    definition.steps.push_back(
        {.kind = Kind::kDigits, .individual_digits = step.flag("individual_digits", false)});
  } else if (type == "Split") {
    const JsonObject pattern = step.object("pattern");
    const bool literal = pattern.has("String");
    definition.steps.push_back({.kind = Kind::kSplit,
                                .pattern = pattern.string(literal ? "String" : "Regex"),
                                .literal = literal,
                                .invert = step.flag("invert", false),
                                .behaviour = read_behaviour(step)});
  } else {
    refuse_type(step, "Sequence, ByteLevel, Digits and Split");
  }
}

std::vector<int32_t> template_ids(const JsonObject& post, const std::string& name) {
  const JsonObject token = post.object("special_tokens").object(name.c_str());
  const auto& ids = token.at("ids");
  if (!ids.is_array()) token.refuse("'ids' must be an array");
  std::vector<int32_t> result;
  for (const auto& id : ids) result.push_back(read_token_id(id, token.path() + ".ids"));
  return result;
}

void read_post_processor(const JsonObject& post, TokenizerDefinition& definition) {
  const std::string type = post.type();
  if (type == "Sequence") {
    for (const JsonObject& step : post.objects("processors")) read_post_processor(step, definition);
  } else if (type == "TemplateProcessing") {
    if (!definition.prefix.empty() || !definition.suffix.empty())
      post.refuse("a second template is not supported");
    bool text_seen = false;
    for (const JsonObject& piece : post.objects("single")) {
      if (piece.has("Sequence")) {
        if (text_seen) piece.refuse("the text stands twice in the template");
        text_seen = true;
        continue;
      }
      auto& target = text_seen ? definition.suffix : definition.prefix;
      for (const int32_t id : template_ids(post, piece.object("SpecialToken").string("id")))
        target.push_back(id);
    }
    if (!text_seen) post.refuse("the template has no place for the text");
  } else if (type != "ByteLevel") {  // ByteLevel moves offsets, not ids
    refuse_type(post, "TemplateProcessing, ByteLevel and Sequence");
  }
}

void require_byte_level(const JsonObject& decoder) {
  if (decoder.type() != "ByteLevel") refuse_type(decoder, "ByteLevel");
}

void read_added_tokens(const JsonObject& root, TokenizerDefinition& definition) {
  if (!root.has("added_tokens")) return;
  const auto tokens = root.objects("added_tokens");
  if (tokens.size() > kMaxAddedTokens)
    root.refuse(text(tokens.size(), " added tokens, more than ", kMaxAddedTokens));
  for (const JsonObject& token : tokens) {
    const bool special = token.flag("special", false);
    definition.added.push_back({.id = token.token_id("id"),
                                .content = token.string("content"),
                                .special = special,
                                .single_word = token.flag("single_word", false),
                                .lstrip = token.flag("lstrip", false),
                                .rstrip = token.flag("rstrip", false),
                                .normalized = token.flag("normalized", !special)});
  }
  std::stable_sort(definition.added.begin(), definition.added.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  const VocabularyIndex index(definition.vocabulary);
  for (const AddedToken& token : definition.added) {
    const auto known = index.find(token.content);
    const bool inside = static_cast<size_t>(token.id) < definition.vocabulary.size();
    if (known ? *known != token.id : inside)
      root.refuse(text("added token ", in_quotes(token.content), " has id ", token.id,
                       ", but the vocabulary ",
                       known ? text("gives it id ", *known)
                             : text("holds ", in_quotes(definition.token(token.id)), " there")));
  }
}

// A special token of tokenizer_config.json: its text, or an object with "content".
std::optional<int32_t> special_token(const JsonObject& config, const char* key,
                                     const TokenizerDefinition& definition) {
  if (!config.has(key)) return std::nullopt;
  const std::string content =
      config.at(key).is_object() ? config.object(key).string("content") : config.string(key);
  for (const AddedToken& token : definition.added)
    if (token.content == content) return token.id;
  const auto found = std::find(definition.vocabulary.begin(), definition.vocabulary.end(), content);
  if (found == definition.vocabulary.end()) return std::nullopt;
  return static_cast<int32_t>(found - definition.vocabulary.begin());
}

void read_config(std::string source, TokenizerDefinition& definition) {
  const nlohmann::json parsed = parse_large_json(source);
  const JsonObject config(parsed, "tokenizer_config.json");
  definition.bos = special_token(config, "bos_token", definition);
  definition.eos = special_token(config, "eos_token", definition);
  definition.unk = special_token(config, "unk_token", definition);
  definition.pad = special_token(config, "pad_token", definition);
  if (config.has("chat_template") && config.at("chat_template").is_string())
    definition.chat_template = config.string("chat_template");
  definition.config_json = std::move(source);
}

}  // namespace

TokenizerDefinition definition_from_json(std::string tokenizer, std::string config) {
  const nlohmann::json parsed = parse_large_json(tokenizer);
  const JsonObject root(parsed, "tokenizer");
  TokenizerDefinition definition;
  read_model(root.object("model"), definition);
  if (root.has("normalizer")) read_normalizer(root.object("normalizer"), definition);
  if (!root.has("pre_tokenizer"))
    root.refuse("no pre_tokenizer; Plumb reads byte-level BPE, which has one");
  read_pre_tokenizer(root.object("pre_tokenizer"), definition);
  read_added_tokens(root, definition);
  if (root.has("post_processor")) read_post_processor(root.object("post_processor"), definition);
  if (root.has("decoder")) require_byte_level(root.object("decoder"));
  if (!config.empty()) read_config(std::move(config), definition);
  definition.json = std::move(tokenizer);
  return definition;
}

}  // namespace plumb::models
