#include "models/tokenizer/tokenizer.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "models/tokenizer/added_tokens.h"
#include "models/tokenizer/bpe.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/sentencepiece.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/text_normalizer.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

// What one `encode` needs for itself. Kept between calls, as the words seen before are worth
// having.
struct Scratch {
  RegexScratch regex;
  BpeScratch bpe;
};

class ScratchPool {
 public:
  std::unique_ptr<Scratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Scratch>();
    auto scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void give(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

class BpeSink : public WordSink {
 public:
  BpeSink(const Bpe& bpe, BpeScratch& scratch, std::vector<int32_t>& out)
      : bpe_(bpe), scratch_(scratch), out_(out) {}
  void word(std::string_view bytes) override { bpe_.encode(bytes, scratch_, out_); }

 private:
  const Bpe& bpe_;
  BpeScratch& scratch_;
  std::vector<int32_t>& out_;
};

// Tokens that are looked for in the text as it is, or in the text once normalised.
std::vector<AddedToken> added_tokens(const TokenizerDefinition& definition, bool normalized,
                                     const TextNormalizer& normalizer) {
  std::vector<AddedToken> chosen;
  RegexScratch scratch;
  for (AddedToken token : definition.added) {
    if (token.normalized != normalized) continue;
    std::string storage;
    if (normalized) token.content = normalizer.normalize(token.content, storage, scratch);
    if (token.content.empty()) continue;  // the normaliser takes all of it: it is never found
    chosen.push_back(std::move(token));
  }
  // `tokenizers` puts special tokens first; it matters where two are equal once normalised.
  std::stable_partition(chosen.begin(), chosen.end(),
                        [](const AddedToken& token) { return token.special; });
  return chosen;
}

}  // namespace

struct Tokenizer::Impl {
  TokenizerDefinition definition;
  VocabularyIndex index;
  std::optional<SentencePiece> sentencepiece;  ///< else all of the following
  std::optional<Bpe> bpe;
  TextNormalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokenFinder raw_tokens, normalized_tokens;
  std::vector<std::string> token_bytes;
  mutable ScratchPool pool;

  explicit Impl(TokenizerDefinition made)
      : definition((require_consistent(made), std::move(made))),
        index(definition.vocabulary),
        normalizer(definition.normalizer),
        pre_tokenizer(definition.steps),
        raw_tokens(added_tokens(definition, false, normalizer)),
        normalized_tokens(added_tokens(definition, true, normalizer)) {
    if (definition.sentencepiece.empty())
      bpe.emplace(definition, index);
    else
      sentencepiece.emplace(definition.sentencepiece);
    token_bytes.resize(static_cast<size_t>(definition.size()));
    for (size_t id = 0; id < definition.vocabulary.size(); ++id)
      token_bytes[id] = bytes_of(definition.vocabulary[id]);
    // The content itself, even where it could be read as alphabet: so that decoding gives the text
    // back. One that is looked for in normalised text stands for what the normaliser began with.
    for (const AddedToken& token : definition.added)
      token_bytes[static_cast<size_t>(token.id)] =
          token.normalized && definition.symbols == TokenizerDefinition::Symbols::kCharacters
              ? bytes_of(token.content)
              : token.content;
  }

  std::string bytes_of(const std::string& token) const {
    if (definition.symbols == TokenizerDefinition::Symbols::kBytes)
      return bytes_of_symbols(token).value_or(token);
    const auto byte = definition.byte_fallback ? byte_of_token(token) : std::nullopt;
    if (byte) return std::string(1, static_cast<char>(*byte));
    std::string bytes = token;
    for (size_t at = 0; (at = bytes.find(kSpaceSymbol, at)) != std::string::npos; ++at)
      bytes.replace(at, kSpaceSymbol.size(), 1, ' ');
    return bytes;
  }

  void encode(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const {
    for (const auto& raw : raw_tokens.split(text)) {
      const bool first = raw.text.data() == text.data();
      if (raw.id >= 0)
        out.push_back(raw.id);
      else if (sentencepiece)
        sentencepiece->encode(raw.text, gets_prefix(first), out);
      else
        encode_between(raw.text, first, scratch, out);
    }
  }

  bool gets_prefix(bool first) const {
    using Prepend = PreTokenizerStep::Prepend;
    return definition.prefix_pieces == Prepend::kAlways ||
           (first && definition.prefix_pieces == Prepend::kFirst);
  }

  void encode_between(std::string_view text, bool first, Scratch& scratch,
                      std::vector<int32_t>& out) const {
    BpeSink sink(*bpe, scratch.bpe, out);
    std::string storage;
    const std::string_view normalised = normalizer.normalize(text, storage, scratch.regex);
    for (const auto& part : normalized_tokens.split(normalised)) {
      const bool leads = first && part.text.data() == normalised.data();
      part.id >= 0 ? out.push_back(part.id)
                   : pre_tokenizer.split(part.text, leads, scratch.regex, sink);
    }
  }
};

Tokenizer Tokenizer::from_gguf(const GgufHeader& header) {
  return Tokenizer(std::make_shared<const Impl>(definition_from_gguf(header)));
}

Tokenizer Tokenizer::from_json(const std::filesystem::path& tokenizer_json) {
  return open(tokenizer_json);
}

Tokenizer Tokenizer::open(const std::filesystem::path& model) try {
  const std::filesystem::path file = tokenizer_file(model);
  try {
    return Tokenizer(std::make_shared<const Impl>(definition_of_file(file)));
  } catch (const Error& error) {
    throw error.within(file.filename().string());
  }
} catch (const std::filesystem::filesystem_error& error) {
  throw Error(ErrorKind::kInput, text("cannot look at ", in_quotes(error.path1().string()), ": ",
                                      error.code().message()));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool special_tokens) const {
  require_utf8(text);
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 8);
  const auto& definition = impl_->definition;
  if (special_tokens) ids = definition.prefix;
  auto scratch =
      impl_->pool.take();  // lost, not returned, when something throws: that is rare and harmless
  impl_->encode(text, *scratch, ids);
  impl_->pool.give(std::move(scratch));
  if (special_tokens) ids.insert(ids.end(), definition.suffix.begin(), definition.suffix.end());
  return ids;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocabulary_size())
      throw Error(ErrorKind::kInput,
                  text("token id ", id, " is out of range; ids are 0 to ", vocabulary_size() - 1));
    bytes += impl_->token_bytes[static_cast<size_t>(id)];
  }
  if (impl_->definition.strip_first_space && bytes.starts_with(' ')) bytes.erase(0, 1);
  return bytes;
}

int64_t Tokenizer::vocabulary_size() const {
  return static_cast<int64_t>(impl_->token_bytes.size());
}

std::string Tokenizer::to_json() const {
  const TokenizerDefinition& definition = impl_->definition;
  if (!definition.json.empty()) return definition.json;
  return tokenizer_json(definition.sentencepiece.empty() ? definition
                                                         : without_sentencepiece(definition));
}

std::string Tokenizer::to_config_json() const { return tokenizer_config_json(impl_->definition); }

}  // namespace plumb::models
