#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/sources.h"

namespace plumb::models {
namespace {

enum TokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kInput, what); }

class Metadata {
 public:
  explicit Metadata(const GgufHeader& header) : header_(header) {}

  template <typename T>
  const T* find(std::string_view key, const char* needed) const {
    const auto found = header_.metadata.find(key);
    if (found == header_.metadata.end()) return nullptr;
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) refuse(text("'", key, "' must be ", needed));
    return value;
  }
  std::string_view word(std::string_view key) const {
    const auto* value = find<std::string_view>(key, "a string");
    if (value == nullptr)
      refuse(text("the GGUF has no '", key, "': it holds no tokenizer that Plumb can read"));
    return *value;
  }
  const GgufArray& words(std::string_view key) const {
    const GgufArray* found = array(key, "strings", &GgufArray::holds_texts);
    if (found == nullptr) refuse(text("the GGUF has no '", key, "', which byte-level BPE needs"));
    return *found;
  }
  std::optional<int64_t> integer(std::string_view key) const {
    const auto found = header_.metadata.find(key);
    if (found == header_.metadata.end()) return std::nullopt;
    if (const auto* whole = std::get_if<int64_t>(&found->second)) return *whole;
    const auto* value = std::get_if<uint64_t>(&found->second);
    if (value == nullptr || *value > uint64_t{std::numeric_limits<int64_t>::max()})
      refuse(text("'", key, "' must be an integer"));
    return static_cast<int64_t>(*value);
  }
  std::optional<int32_t> token_id(std::string_view key) const {
    const auto value = integer(key);
    if (!value) return std::nullopt;
    if (*value < 0 || *value > std::numeric_limits<int32_t>::max())
      refuse(text("'", key, "' is ", *value, ", not a token id"));
    return static_cast<int32_t>(*value);
  }
  const GgufArray& integers(std::string_view key) const {
    const GgufArray* found = array(key, "integers", &GgufArray::holds_integers);
    if (found == nullptr) refuse(text("the GGUF has no '", key, "', which tells added tokens"));
    return *found;
  }
  const GgufArray& numbers(std::string_view key) const {
    const GgufArray* found = array(key, "numbers", &GgufArray::holds_reals);
    if (found == nullptr)
      refuse(text("the GGUF has no '", key, "', which a SentencePiece tokenizer merges by"));
    return *found;
  }
  bool flag(std::string_view key, bool otherwise) const {
    const auto* value = find<bool>(key, "true or false");
    return value == nullptr ? otherwise : *value;
  }

 private:
  const GgufArray* array(std::string_view key, const char* of,
                         bool (GgufArray::*holds)() const) const {
    const auto* found = find<GgufArray>(key, "an array");
    if (found != nullptr && !(found->*holds)())
      refuse(text("'", key, "' must be an array of ", of));
    return found;
  }

  const GgufHeader& header_;
};

const KnownPreTokenizer& known_pre_tokenizer(std::string_view name) {
  std::string names;
  for (const KnownPreTokenizer& known : known_pre_tokenizers()) {
    if (known.name == name) return known;
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  refuse(text("the GGUF's pre-tokenizer is ", in_quotes(name), "; Plumb knows ", names,
              "; use the model's folder with its tokenizer.json instead"));
}

std::vector<int64_t> read_vocabulary(const Metadata& metadata, TokenizerDefinition& definition) {
  const GgufArray& tokens = metadata.words("tokenizer.ggml.tokens");
  const GgufArray& stored = metadata.integers("tokenizer.ggml.token_type");
  if (stored.size() != tokens.size())
    refuse(text("the GGUF has ", tokens.size(), " tokens but ", stored.size(), " token types"));
  const bool bytes = definition.symbols == TokenizerDefinition::Symbols::kBytes;
  tokens.texts([&](std::string_view token) { definition.vocabulary.emplace_back(token); });
  std::vector<int64_t> types;
  types.reserve(stored.size());
  stored.integers([&](int64_t type) { types.push_back(type); });
  for (size_t id = 0; id < types.size(); ++id) {
    const std::string& token = definition.vocabulary[id];
    if (types[id] < kNormal || types[id] > (bytes ? kUnused : kByte))
      refuse(text("token ", id, " ", in_quotes(token), " has type ", types[id],
                  bytes ? "; byte-level BPE knows types 1 to 5" : "; known are types 1 to 6"));
    const bool special = types[id] == kControl || (!bytes && types[id] == kUnknown);
    if (!special && types[id] != kUserDefined) continue;
    definition.added.push_back(
        {.id = static_cast<int32_t>(id), .content = token, .special = special});
  }
  return types;
}

// "left right": tokens themselves hold no space, as the alphabet writes it as another character.
void read_merges(const Metadata& metadata, TokenizerDefinition& definition) {
  const VocabularyIndex index(definition.vocabulary);
  metadata.words("tokenizer.ggml.merges").texts([&](std::string_view merge) {
    const size_t rank = definition.merges.size();
    const size_t space = merge.find(' ');
    if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos)
      refuse(text("merge ", rank, " is ", in_quotes(merge),
                  "; two tokens with one space between are needed"));
    definition.merges.push_back(index.merge(merge.substr(0, space), merge.substr(space + 1), rank));
  });
}

void read_template(const Metadata& metadata, bool add_bos, TokenizerDefinition& definition) {
  if (metadata.flag("tokenizer.ggml.add_bos_token", add_bos)) {
    if (!definition.bos) refuse("the GGUF wants a BOS token before each text but names none");
    definition.prefix = {*definition.bos};
  }
  if (metadata.flag("tokenizer.ggml.add_eos_token", false)) {
    if (!definition.eos) refuse("the GGUF wants an EOS token after each text but names none");
    definition.suffix = {*definition.eos};
  }
}

// All 256 or none: with some of them, what a character becomes would depend on its bytes.
bool has_byte_tokens(const TokenizerDefinition& definition, const std::vector<int64_t>& types) {
  std::unordered_map<uint8_t, size_t> ids;
  for (size_t id = 0; id < types.size(); ++id) {
    if (types[id] != kByte) continue;
    const std::string& token = definition.vocabulary[id];
    const auto byte = byte_of_token(token);
    if (!byte)
      refuse(text("byte token ", id, " is ", in_quotes(token), ", not one of <0x00> to <0xFF>"));
    ids.emplace(*byte, id);
  }
  if (!ids.empty() && ids.size() != 256)
    refuse(text("the vocabulary has ", ids.size(), " byte tokens; all 256 are needed, or none"));
  return !ids.empty();
}

void read_sentencepiece(const Metadata& metadata, TokenizerDefinition& definition) {
  definition.symbols = TokenizerDefinition::Symbols::kCharacters;
  const auto types = read_vocabulary(metadata, definition);
  const GgufArray& stored = metadata.numbers("tokenizer.ggml.scores");
  if (stored.size() != types.size())
    refuse(text("the GGUF has ", types.size(), " tokens but ", stored.size(), " scores"));
  std::vector<float> scores;
  scores.reserve(stored.size());
  stored.reals([&](double score) { scores.push_back(static_cast<float>(score)); });
  if (!std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); }))
    refuse("the GGUF has a token whose score is not a number");
  const VocabularyIndex index(definition.vocabulary);  // before what assumes that it is sane
  const auto order = ranks_of_scores(scores);
  std::vector<std::optional<uint32_t>> ranks(order.size());
  for (size_t id = 0; id < order.size(); ++id)
    if (types[id] == kNormal || types[id] == kUnused) ranks[id] = order[id];
  definition.byte_fallback = has_byte_tokens(definition, types);
  definition.late_fallback = definition.fuse_unknown = true;
  definition.merges = merges_by_result(definition.vocabulary, ranks, /*loose_characters=*/true);
  const std::string space(kSpaceSymbol);
  definition.strip_first_space = metadata.flag("tokenizer.ggml.add_space_prefix", true);
  if (definition.strip_first_space)
    definition.normalizer.push_back({.kind = NormalizerStep::Kind::kPrepend, .content = space});
  definition.normalizer.push_back(
      {.kind = NormalizerStep::Kind::kReplace, .pattern = " ", .content = space});
}

void read_byte_level(const Metadata& metadata, const KnownPreTokenizer& pre,
                     TokenizerDefinition& definition) {
  definition.steps = pre.steps;
  if (pre.nfc) definition.normalizer = {{.kind = NormalizerStep::Kind::kNfc}};
  definition.ignore_merges = pre.ignore_merges;
  read_vocabulary(metadata, definition);
  read_merges(metadata, definition);
  // transformers lets this option reach a ByteLevel that stands alone, and nothing else.
  if (definition.steps.size() == 1)
    definition.steps[0].add_prefix_space = metadata.flag("tokenizer.ggml.add_space_prefix", false);
}

}  // namespace

TokenizerDefinition definition_from_gguf(const GgufHeader& header) {
  const Metadata metadata(header);
  const std::string_view model = metadata.word("tokenizer.ggml.model");
  TokenizerDefinition definition;
  bool add_bos = true;
  if (model == "llama") {
    read_sentencepiece(metadata, definition);
  } else if (model == "gpt2") {
    const bool named = header.metadata.contains("tokenizer.ggml.pre");
    const auto& pre = known_pre_tokenizer(named ? metadata.word("tokenizer.ggml.pre") : "default");
    read_byte_level(metadata, pre, definition);
    add_bos = pre.add_bos;
  } else {
    refuse(text("the GGUF's tokenizer is ", in_quotes(model),
                model == "t5"     ? " (unigram)"
                : model == "bert" ? " (WordPiece)"
                                  : "",
                "; Plumb reads 'gpt2' (byte-level BPE) and 'llama' (SentencePiece's BPE)"));
  }
  definition.bos = metadata.token_id("tokenizer.ggml.bos_token_id");
  definition.eos = metadata.token_id("tokenizer.ggml.eos_token_id");
  definition.unk = metadata.token_id("tokenizer.ggml.unknown_token_id");
  definition.pad = metadata.token_id("tokenizer.ggml.padding_token_id");
  if (model == "llama") {  // llama.cpp's own where the file is silent
    const auto has = [&](int32_t id) { return id < definition.size(); };
    if (!definition.bos && has(1)) definition.bos = 1;
    if (!definition.eos && has(2)) definition.eos = 2;
    if (!definition.unk && has(0)) definition.unk = 0;
    definition.unknown = definition.unk;
  }
  read_template(metadata, add_bos, definition);
  if (const auto* chat = metadata.find<std::string_view>("tokenizer.chat_template", "a string"))
    definition.chat_template = *chat;
  if (const auto* architecture =
          metadata.find<std::string_view>("general.architecture", "a string"))
    definition.max_length =
        metadata.integer(std::string(*architecture) + ".context_length").value_or(0);
  return definition;
}

}  // namespace plumb::models
