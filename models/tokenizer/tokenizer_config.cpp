#include "models/tokenizer/tokenizer_config.h"

#include <algorithm>

#include "base/error.h"

namespace plumb::models {
namespace {

// Its text, or an object with "content". What is not there stays as it was.
void read_special_token(const JsonObject& config, const char* key,
                        const TokenizerDefinition& definition, std::optional<int32_t>& id) {
  if (!config.has(key)) return;
  const std::string content =
      config.at(key).is_object() ? config.object(key).string("content") : config.string(key);
  id.reset();
  for (const AddedToken& token : definition.added)
    if (token.content == content) id = token.id;
  const auto found = std::find(definition.vocabulary.begin(), definition.vocabulary.end(), content);
  if (!id && found != definition.vocabulary.end())
    id = static_cast<int32_t>(found - definition.vocabulary.begin());
}

void read_policy(const JsonObject& config, bool bos, TokenizerDefinition& definition) {
  const std::string family = config.string("tokenizer_class", "");
  if (!family.empty()) bos = family.starts_with("Llama") || family.starts_with("Gemma");
  definition.prefix.clear();
  definition.suffix.clear();
  if (config.flag("add_bos_token", bos)) {
    if (!definition.bos) config.refuse("a BOS token is to begin each text, but none is named");
    definition.prefix = {*definition.bos};
  }
  if (config.flag("add_eos_token", false)) {
    if (!definition.eos) config.refuse("an EOS token is to end each text, but none is named");
    definition.suffix = {*definition.eos};
  }
}

}  // namespace

AddedToken read_added_token(const JsonObject& token, int32_t id) {
  const bool special = token.flag("special", false);
  return {.id = id,
          .content = token.string("content"),
          .special = special,
          .single_word = token.flag("single_word", false),
          .lstrip = token.flag("lstrip", false),
          .rstrip = token.flag("rstrip", false),
          .normalized = token.flag("normalized", !special)};
}

void arrange_added_tokens(const JsonObject& where, TokenizerDefinition& definition) {
  std::stable_sort(definition.added.begin(), definition.added.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  const VocabularyIndex index(definition.vocabulary);
  for (const AddedToken& token : definition.added) {
    const auto known = index.find(token.content);
    const bool inside = static_cast<size_t>(token.id) < definition.vocabulary.size();
    if (known ? *known != token.id : inside)
      where.refuse(text("added token ", in_quotes(token.content), " has id ", token.id,
                        ", but the vocabulary ",
                        known ? text("gives it id ", *known)
                              : text("holds ", in_quotes(definition.token(token.id)), " there")));
  }
}

void read_tokenizer_config(std::string source, bool decides, bool bos,
                           TokenizerDefinition& definition) {
  constexpr const char* kName = "tokenizer_config.json";
  const auto parsed = json_tree(source, kName);
  const JsonObject config(parsed->root(), kName);
  read_special_token(config, "bos_token", definition, definition.bos);
  read_special_token(config, "eos_token", definition, definition.eos);
  read_special_token(config, "unk_token", definition, definition.unk);
  read_special_token(config, "pad_token", definition, definition.pad);
  if (config.has("chat_template") && config.at("chat_template").is_string())
    definition.chat_template = config.string("chat_template");
  if (decides) read_policy(config, bos, definition);
  definition.config_json = std::move(source);
}

}  // namespace plumb::models
