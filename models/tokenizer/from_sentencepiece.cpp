#include <limits>

#include "base/error.h"
#include "models/tokenizer/sentencepiece.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/tokenizer_config.h"

namespace plumb::models {
namespace {

using File = SentencePieceFile;
using Prepend = PreTokenizerStep::Prepend;

void read_pieces(const File& file, TokenizerDefinition& definition) {
  for (size_t i = 0; i < file.pieces.size(); ++i) {
    const File::Piece& piece = file.pieces[i];
    const auto id = static_cast<int32_t>(i);
    definition.vocabulary.push_back(piece.text);
    if (piece.type == File::kUnknown) definition.unk = definition.unknown = id;
    if (piece.type == File::kControl) {
      if (piece.text == file.bos) definition.bos = id;
      if (piece.text == file.eos) definition.eos = id;
      if (piece.text == file.pad) definition.pad = id;
    }
    if (piece.type == File::kControl || piece.type == File::kUnknown)
      definition.added.push_back({.id = id, .content = piece.text, .special = true});
  }
}

// A token that the model has too is described anew.
void add_token(AddedToken token, TokenizerDefinition& definition) {
  for (AddedToken& known : definition.added)
    if (known.id == token.id && known.content == token.content) return void(known = token);
  definition.added.push_back(std::move(token));
}

int32_t read_id_key(const std::string& key, const JsonObject& where) {
  constexpr size_t kDigits = 9;
  if (key.empty() || key.size() > kDigits ||
      key.find_first_not_of("0123456789") != std::string::npos)
    where.refuse(text(in_quotes(key), " is not a token id"));
  return std::stoi(key);
}

void read_companions(const SentencePieceCompanions& beside, TokenizerDefinition& definition) {
  if (!beside.added_tokens.empty()) {
    const auto parsed = json_tree(beside.added_tokens, "added_tokens.json");
    const JsonObject where(parsed->root(), "added_tokens.json");
    if (parsed->root().size() > kMaxAddedTokens)
      where.refuse(text("more than ", kMaxAddedTokens, " added tokens"));
    for (const auto& [content, id] : parsed->root().items())
      add_token({.id = read_token_id(id, where.path()), .content = content}, definition);
  }
  const auto config = json_tree(beside.config.empty() ? std::string_view("{}") : beside.config,
                                "tokenizer_config.json");
  const JsonObject where(config->root(), "tokenizer_config.json");
  if (where.has("added_tokens_decoder")) {
    const JsonObject tokens = where.object("added_tokens_decoder");
    if (where.at("added_tokens_decoder").size() > kMaxAddedTokens)
      tokens.refuse(text("more than ", kMaxAddedTokens, " added tokens"));
    for (const auto& [key, value] : where.at("added_tokens_decoder").items())
      add_token(
          read_added_token(JsonObject(value, tokens.path() + "." + key), read_id_key(key, tokens)),
          definition);
  }
  arrange_added_tokens(where, definition);
  if (!where.flag("legacy", true)) definition.prefix_pieces = Prepend::kFirst;
  if (!where.flag("add_prefix_space", true)) definition.prefix_pieces = Prepend::kNever;
}

}  // namespace

TokenizerDefinition definition_from_sentencepiece(std::string model,
                                                  const SentencePieceCompanions& beside) {
  const File file = parse_sentencepiece(model);
  TokenizerDefinition definition;
  definition.symbols = TokenizerDefinition::Symbols::kCharacters;
  definition.byte_fallback = file.byte_fallback;
  definition.fuse_unknown = true;
  read_pieces(file, definition);
  read_companions(beside, definition);
  definition.strip_first_space =
      file.add_dummy_prefix && definition.prefix_pieces != Prepend::kNever;
  if (definition.bos) definition.prefix = {*definition.bos};
  if (!beside.config.empty())
    read_tokenizer_config(beside.config, /*decides=*/true, definition.bos.has_value(), definition);
  definition.sentencepiece = std::move(model);
  return definition;
}

TokenizerDefinition without_sentencepiece(const TokenizerDefinition& definition) {
  const File file = parse_sentencepiece(definition.sentencepiece);
  if (file.model != File::kBpe || !file.character_map.empty() || !file.escape_whitespaces ||
      file.remove_extra_whitespaces || file.whitespace_as_suffix)
    throw Error(ErrorKind::kInput,
                text("a tokenizer.json of this tokenizer.model is not supported: it is ",
                     file.model == File::kBpe ? "BPE with a normaliser of its own" : "unigram",
                     "; copy the tokenizer.model instead"));
  TokenizerDefinition made = definition;
  made.sentencepiece.clear();
  std::vector<float> scores;
  for (const File::Piece& piece : file.pieces) scores.push_back(piece.score);
  const auto order = ranks_of_scores(scores);
  std::vector<std::optional<uint32_t>> ranks(order.size());
  for (size_t id = 0; id < order.size(); ++id)
    if (file.pieces[id].type == File::kNormal || file.pieces[id].type == File::kUnused)
      ranks[id] = order[id];
  made.late_fallback = true;
  made.merges = merges_by_result(made.vocabulary, ranks, /*loose_characters=*/true);
  const bool prefix = file.add_dummy_prefix && made.prefix_pieces != Prepend::kNever;
  // Found where spaces are written as in the piece; a normaliser that prepends would change it.
  for (size_t id = 0; id < order.size(); ++id)
    if (file.pieces[id].type == File::kUserDefined)
      add_token(
          {.id = static_cast<int32_t>(id), .content = file.pieces[id].text, .normalized = !prefix},
          made);
  if (made.prefix_pieces == Prepend::kFirst && prefix) {
    made.steps = {{.kind = PreTokenizerStep::Kind::kMetaspace,
                   .pattern = std::string(kSpaceSymbol),
                   .prepend = Prepend::kFirst,
                   .split = false}};
    return made;
  }
  if (prefix)
    made.normalizer.push_back(
        {.kind = NormalizerStep::Kind::kPrepend, .content = std::string(kSpaceSymbol)});
  made.normalizer.push_back({.kind = NormalizerStep::Kind::kReplace,
                             .pattern = " ",
                             .content = std::string(kSpaceSymbol)});
  return made;
}

}  // namespace plumb::models
