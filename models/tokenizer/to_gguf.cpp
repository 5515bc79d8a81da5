#include "models/tokenizer/to_gguf.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/sentencepiece.h"
#include "models/tokenizer/sources.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;

enum TokenType : int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

template <typename... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw Error(ErrorKind::kInput, text(parts..., "; write safetensors instead"));
}

bool same(const PreTokenizerStep& a, const PreTokenizerStep& b) {
  return a.kind == b.kind && a.individual_digits == b.individual_digits && a.pattern == b.pattern &&
         a.literal == b.literal && a.invert == b.invert && a.behaviour == b.behaviour &&
         a.use_regex == b.use_regex && a.prepend == b.prepend && a.split == b.split;
}

/// But for the space before a text, which is a key of its own.
const KnownPreTokenizer& known_as(const TokenizerDefinition& definition) {
  using Kind = NormalizerStep::Kind;
  const auto& normalizer = definition.normalizer;
  const bool nfc = normalizer.size() == 1 && normalizer[0].kind == Kind::kNfc;
  if (!nfc && !normalizer.empty()) refuse("the tokenizer's normaliser has no name in GGUF");
  for (const KnownPreTokenizer& known : known_pre_tokenizers())
    if (known.nfc == nfc && known.ignore_merges == definition.ignore_merges &&
        std::ranges::equal(known.steps, definition.steps, same))
      return known;
  refuse("the tokenizer's pre-tokenizer is none that has a name in GGUF");
}

/// Of llama.cpp's vocabularies: tokens and what they are, one a row of the embedding.
class Tokens {
 public:
  explicit Tokens(const TokenizerDefinition& definition) {
    const bool bytes = definition.symbols == TokenizerDefinition::Symbols::kBytes;
    for (int32_t id = 0; id < definition.size(); ++id) {
      texts.emplace_back(definition.token(id));
      types.push_back(kNormal);
    }
    for (const AddedToken& token : definition.added) {
      const bool spaces = token.lstrip || token.rstrip;
      if (spaces || token.single_word)
        refuse("added token ", in_quotes(token.content),
               spaces ? " takes spaces beside it" : " is found as a whole word alone",
               ", which GGUF cannot say");
      if (bytes) types[static_cast<size_t>(token.id)] = token.special ? kControl : kUserDefined;
    }
  }

  void pad(int64_t rows) {
    if (std::ssize(texts) > rows)
      refuse("the tokenizer has ", texts.size(), " tokens but the embedding ", rows,
             " rows, where GGUF has one for each");
    const std::set<std::string> known(texts.begin(), texts.end());
    while (std::ssize(texts) < rows) {
      std::string name = text("[PAD", texts.size(), "]");
      while (known.contains(name)) name += '_';
      texts.push_back(std::move(name));
      types.push_back(kUnused);
      if (!scores.empty()) scores.push_back(-10000.0f);  // below every token of a model
    }
  }

  std::vector<std::string> texts;
  std::vector<int32_t> types;
  std::vector<float> scores;  ///< SentencePiece alone
};

void add_byte_level(const TokenizerDefinition& definition, GgufFields& fields) {
  const KnownPreTokenizer& pre = known_as(definition);
  fields.emplace_back("tokenizer.ggml.model", GgufField::words("gpt2"));
  fields.emplace_back("tokenizer.ggml.pre", GgufField::words(pre.name));
  if (definition.steps.size() == 1)
    fields.emplace_back("tokenizer.ggml.add_space_prefix",
                        GgufField::flag(definition.steps[0].add_prefix_space));
  else if (definition.steps.back().add_prefix_space)
    refuse("the tokenizer puts a space before each text, which GGUF cannot say of its kind");
  std::vector<std::string> merges;
  for (const Merge& merge : definition.merges)
    merges.push_back(text(definition.token(merge.left), ' ', definition.token(merge.right)));
  fields.emplace_back("tokenizer.ggml.merges", GgufField::list(merges));
}

/// Pieces keep SentencePiece's own types, which GGUF took over; tokens added beside them are told as for the others.
void add_sentencepiece(const TokenizerDefinition& definition, Tokens& tokens, GgufFields& fields) {
  const TokenizerDefinition plain = without_sentencepiece(definition);
  const SentencePieceFile file = parse_sentencepiece(definition.sentencepiece);
  tokens.scores.assign(tokens.texts.size(), -1000.0f);
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    tokens.types[id] = static_cast<int32_t>(file.pieces[id].type);
    tokens.scores[id] = file.pieces[id].score;
  }
  for (const AddedToken& token : definition.added) {
    const auto id = static_cast<size_t>(token.id);
    const bool piece = id < file.pieces.size();
    if (!piece || tokens.types[id] == kNormal)
      tokens.types[id] = token.special ? kControl : kUserDefined;
  }
  // They are looked for in the text as it is, where a space is none of SentencePiece's symbols yet.
  const std::string space(kSpaceSymbol);
  for (size_t id = 0; id < tokens.texts.size(); ++id)
    if (tokens.types[id] == kUserDefined)
      for (size_t at; (at = tokens.texts[id].find(space)) != std::string::npos;)
        tokens.texts[id].replace(at, space.size(), " ");
  fields.emplace_back("tokenizer.ggml.model", GgufField::words("llama"));
  fields.emplace_back("tokenizer.ggml.pre", GgufField::words("default"));
  fields.emplace_back("tokenizer.ggml.add_space_prefix", GgufField::flag(plain.strip_first_space));
}

/// BOS before each text, EOS after it: the only templates that GGUF knows.
bool adds(const std::vector<int32_t>& around, std::optional<int32_t>& token, const char* what) {
  if (around.empty()) return false;
  if (!token) token = around.front();
  if (around.size() != 1 || around.front() != *token)
    refuse("the tokenizer puts ", around.size(), " tokens ", what, " each text, GGUF knows ",
           what == std::string_view("before") ? "BOS" : "EOS", " alone");
  return true;
}

fs::path tokenizer_of_folder(const fs::path& folder) {
  // llama.cpp's converter takes it first as well: it has the scores that tokenizer.json leaves out.
  const fs::path model = folder / "tokenizer.model";
  if (fs::exists(model)) return tokenizer_file(model);
  for (const char* name : {"tokenizer.json", "qwen.tiktoken"})
    if (fs::exists(folder / name)) return tokenizer_file(folder);
  return {};
}

GgufFields fields_of(TokenizerDefinition definition, const ModelConfig& config) {
  require_consistent(definition);
  const bool bytes = definition.symbols == TokenizerDefinition::Symbols::kBytes;
  if (definition.sentencepiece.empty() && !bytes)
    refuse(
        "a tokenizer.json of characters leaves out the scores that GGUF merges by, and there is "
        "no tokenizer.model beside it");
  GgufFields fields;
  Tokens tokens(definition);
  bytes ? add_byte_level(definition, fields) : add_sentencepiece(definition, tokens, fields);
  tokens.pad(config.vocabulary_size);
  fields.emplace_back("tokenizer.ggml.tokens", GgufField::list(tokens.texts));
  fields.emplace_back("tokenizer.ggml.token_type", GgufField::list(tokens.types));
  if (!tokens.scores.empty())
    fields.emplace_back("tokenizer.ggml.scores", GgufField::list(tokens.scores));
  const bool bos = adds(definition.prefix, definition.bos, "before");
  const bool eos = adds(definition.suffix, definition.eos, "after");
  const auto from_config = [&](std::optional<int32_t>& token, std::optional<int64_t> known) {
    if (!token && known && *known >= 0 && *known < config.vocabulary_size)
      token = static_cast<int32_t>(*known);
  };
  from_config(definition.bos, config.bos_token);
  from_config(definition.eos, config.eos_token);
  const auto id = [&](const char* key, std::optional<int32_t> token) {
    if (token) fields.emplace_back(key, GgufField::count(*token));
  };
  id("tokenizer.ggml.bos_token_id", definition.bos);
  id("tokenizer.ggml.eos_token_id", definition.eos);
  id("tokenizer.ggml.unknown_token_id", definition.unk);
  id("tokenizer.ggml.padding_token_id", definition.pad);
  fields.emplace_back("tokenizer.ggml.add_bos_token", GgufField::flag(bos));
  fields.emplace_back("tokenizer.ggml.add_eos_token", GgufField::flag(eos));
  if (!definition.chat_template.empty())
    fields.emplace_back("tokenizer.chat_template", GgufField::words(definition.chat_template));
  return fields;
}

}  // namespace

GgufFields gguf_tokenizer(const fs::path& folder, const ModelConfig& config) {
  const fs::path file = tokenizer_of_folder(folder);
  if (file.empty()) return {};
  try {
    return fields_of(definition_of_file(file), config);
  } catch (const Error& error) {
    throw error.within(file.filename().string());
  }
}

}  // namespace plumb::models
