#include <algorithm>
#include <array>

#include "base/error.h"
#include "models/tokenizer/json_reader.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/tokenizer_config.h"

namespace plumb::models {
namespace {

using Kind = PreTokenizerStep::Kind;
using Behaviour = PreTokenizerStep::Behaviour;
using Prepend = PreTokenizerStep::Prepend;

constexpr size_t kMaxTemplate = 1024;  // tokens around a text; one or two in use

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
    model.refuse(text("type ", in_quotes(type), " is not supported; Plumb reads BPE",
                      type == "Unigram" ? ", and unigram from a tokenizer.model" : ""));
  if (model.has("dropout") && model.at("dropout") != 0.0)
    model.refuse("dropout makes ids random; it must be null");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.string(key, "").empty())
      model.refuse(text("'", key, "' is not supported; it must be empty"));
  definition.byte_fallback = model.flag("byte_fallback", false);
  definition.ignore_merges = model.flag("ignore_merges", false);
  definition.fuse_unknown = model.flag("fuse_unk", false);
  read_vocabulary(model, definition);
  read_merges(model, definition);
}

// {"String": ...} or {"Regex": ...}: the text, and whether it is meant literally.
std::pair<std::string, bool> read_pattern(const JsonObject& owner) {
  const JsonObject pattern = owner.object("pattern");
  const bool literal = pattern.has("String");
  return {pattern.string(literal ? "String" : "Regex"), literal};
}

void read_normalizer(const JsonObject& normalizer, TokenizerDefinition& definition) {
  using StepKind = NormalizerStep::Kind;
  const std::string type = normalizer.type();
  if (type == "Sequence") {
    normalizer.for_each("normalizers",
                        [&](const JsonObject& step) { read_normalizer(step, definition); });
  } else if (type == "NFC") {
    definition.normalizer.push_back({.kind = StepKind::kNfc});
  } else if (type == "Prepend") {
    definition.normalizer.push_back(
        {.kind = StepKind::kPrepend, .content = normalizer.string("prepend")});
  } else if (type == "Replace") {
    auto [pattern, literal] = read_pattern(normalizer);
    definition.normalizer.push_back({.kind = StepKind::kReplace,
                                     .pattern = std::move(pattern),
                                     .literal = literal,
                                     .content = normalizer.string("content")});
  } else {
    refuse_type(normalizer, "Sequence, NFC, Prepend, Replace and none");
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

// Older files say `add_prefix_space` alone.
PreTokenizerStep read_metaspace(const JsonObject& step) {
  const bool wanted = step.flag("add_prefix_space", true);
  const std::string scheme = step.string("prepend_scheme", wanted ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    step.refuse(text("prepend_scheme ", in_quotes(scheme), " is not known"));
  if (!wanted && scheme != "never")
    step.refuse(text("add_prefix_space is false, but prepend_scheme ", in_quotes(scheme)));
  return {.kind = Kind::kMetaspace,
          .pattern = step.string("replacement"),
          .prepend = scheme == "always"  ? Prepend::kAlways
                     : scheme == "first" ? Prepend::kFirst
                                         : Prepend::kNever,
          .split = step.flag("split", true)};
}

void read_pre_tokenizer(const JsonObject& step, TokenizerDefinition& definition) {
  const std::string type = step.type();
  if (type == "Sequence") {
    step.for_each("pretokenizers",
                  [&](const JsonObject& inner) { read_pre_tokenizer(inner, definition); });
  } else if (type == "ByteLevel") {
    definition.steps.push_back({.kind = Kind::kByteLevel,
                                .add_prefix_space = step.flag("add_prefix_space", true),
                                .use_regex = step.flag("use_regex", true)});
  } else if (type == "Digits") {
    definition.steps.push_back(
        {.kind = Kind::kDigits, .individual_digits = step.flag("individual_digits", false)});
  } else if (type == "Split") {
    auto [pattern, literal] = read_pattern(step);
    definition.steps.push_back({.kind = Kind::kSplit,
                                .pattern = std::move(pattern),
                                .literal = literal,
                                .invert = step.flag("invert", false),
                                .behaviour = read_behaviour(step)});
  } else if (type == "Metaspace") {
    definition.steps.push_back(read_metaspace(step));
  } else {
    refuse_type(step, "Sequence, ByteLevel, Digits, Split and Metaspace");
  }
}

std::vector<int32_t> template_ids(const JsonObject& post, const std::string& name) {
  const JsonObject token = post.object("special_tokens").object(name.c_str());
  const auto& ids = token.at("ids");
  if (!ids.is_array()) token.refuse("'ids' must be an array");
  std::vector<int32_t> result;
  if (ids.size() > kMaxTemplate) token.refuse(text("more than ", kMaxTemplate, " ids"));
  for (const auto& id : ids) result.push_back(read_token_id(id, token.path() + ".ids"));
  return result;
}

// Whether there is a template.
bool read_post_processor(const JsonObject& post, TokenizerDefinition& definition) {
  const std::string type = post.type();
  if (type == "Sequence") {
    bool found = false;
    post.for_each("processors", [&](const JsonObject& step) {
      found = read_post_processor(step, definition) || found;
    });
    return found;
  }
  if (type == "TemplateProcessing") {
    if (!definition.prefix.empty() || !definition.suffix.empty())
      post.refuse("a second template is not supported");
    bool text_seen = false;
    post.for_each("single", [&](const JsonObject& piece) {
      if (piece.has("Sequence")) {
        if (text_seen) piece.refuse("the text stands twice in the template");
        text_seen = true;
        return;
      }
      auto& target = text_seen ? definition.suffix : definition.prefix;
      for (const int32_t id : template_ids(post, piece.object("SpecialToken").string("id")))
        target.push_back(id);
      if (target.size() > kMaxTemplate)
        post.refuse(text("a template of more than ", kMaxTemplate, " tokens"));
    });
    if (!text_seen) post.refuse("the template has no place for the text");
    return true;
  }
  if (type != "ByteLevel")  // which moves offsets, not ids
    refuse_type(post, "TemplateProcessing, ByteLevel and Sequence");
  return false;
}

// Decoding writes bytes, and spaces for U+2581; what else a file can ask for is only whether the
// first space is dropped.
void read_decoder(const JsonObject& decoder, TokenizerDefinition& definition) {
  const std::string type = decoder.type();
  const bool bytes = definition.symbols == TokenizerDefinition::Symbols::kBytes;
  if (type == "Sequence") {
    decoder.for_each("decoders", [&](const JsonObject& step) { read_decoder(step, definition); });
  } else if (bytes ? type != "ByteLevel" : type == "ByteLevel") {
    decoder.refuse(text("type ", in_quotes(type), " does not go with a pre-tokenizer ",
                        bytes ? "that has" : "without", " ByteLevel"));
  } else if (type == "Strip") {
    definition.strip_first_space = decoder.string("content", " ") == " ";
  } else if (type == "Metaspace") {
    definition.strip_first_space = read_metaspace(decoder).prepend != Prepend::kNever;
  } else if (type != "ByteLevel" && type != "Replace" && type != "ByteFallback" && type != "Fuse") {
    refuse_type(decoder, "Sequence, ByteLevel, Metaspace, Replace, ByteFallback, Fuse and Strip");
  }
}

void read_added_tokens(const JsonObject& root, TokenizerDefinition& definition) {
  if (!root.has("added_tokens")) return;
  if (const size_t count = root.at("added_tokens").size(); count > kMaxAddedTokens)
    root.refuse(text(count, " added tokens, more than ", kMaxAddedTokens));
  root.for_each("added_tokens", [&](const JsonObject& token) {
    definition.added.push_back(read_added_token(token, token.token_id("id")));
  });
  arrange_added_tokens(root, definition);
}

}  // namespace

TokenizerDefinition definition_from_json(std::string tokenizer, std::string config) {
  const JsonTree parsed(tokenizer);
  const JsonObject root(parsed.root(), "tokenizer");
  TokenizerDefinition definition;
  read_model(root.object("model"), definition);
  if (root.has("normalizer")) read_normalizer(root.object("normalizer"), definition);
  if (root.has("pre_tokenizer")) read_pre_tokenizer(root.object("pre_tokenizer"), definition);
  using Symbols = TokenizerDefinition::Symbols;
  const bool bytes = !definition.steps.empty() && definition.steps.back().kind == Kind::kByteLevel;
  definition.symbols = bytes ? Symbols::kBytes : Symbols::kCharacters;
  if (bytes && definition.byte_fallback)
    root.refuse("model.byte_fallback is not supported; byte-level BPE has no use for it");
  read_added_tokens(root, definition);
  const bool has_template =
      root.has("post_processor") && read_post_processor(root.object("post_processor"), definition);
  if (root.has("decoder")) read_decoder(root.object("decoder"), definition);
  if (!config.empty())
    read_tokenizer_config(std::move(config), /*decides=*/!has_template, /*bos=*/false, definition);
  definition.json = std::move(tokenizer);
  return definition;
}

}  // namespace plumb::models
