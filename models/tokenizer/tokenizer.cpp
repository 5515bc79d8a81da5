#include "models/tokenizer/tokenizer.h"

#include <algorithm>
#include <fstream>
#include <mutex>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "models/tokenizer/added_tokens.h"
#include "models/tokenizer/bpe.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/nfc.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "models/tokenizer/sources.h"
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
std::vector<AddedToken> added_tokens(const TokenizerDefinition& definition, bool normalized) {
  std::vector<AddedToken> chosen;
  for (AddedToken token : definition.added) {
    if (token.normalized != normalized) continue;
    if (normalized && definition.normalizer == Normalizer::kNfc)
      token.content = to_nfc(token.content);
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
  Bpe bpe;
  PreTokenizer pre_tokenizer;
  AddedTokenFinder raw_tokens, normalized_tokens;
  std::vector<std::string> token_bytes;
  mutable ScratchPool pool;

  explicit Impl(TokenizerDefinition made)
      : definition((require_consistent(made), std::move(made))),
        index(definition.vocabulary),
        bpe(definition, index),
        pre_tokenizer(definition.steps),
        raw_tokens(added_tokens(definition, false)),
        normalized_tokens(added_tokens(definition, true)) {
    token_bytes.resize(static_cast<size_t>(definition.size()));
    for (size_t id = 0; id < definition.vocabulary.size(); ++id) {
      const std::string& token = definition.vocabulary[id];
      token_bytes[id] = bytes_of_symbols(token).value_or(token);
    }
    // The content itself, even where it could be read as alphabet: so that decoding gives the text
    // back.
    for (const AddedToken& token : definition.added)
      token_bytes[static_cast<size_t>(token.id)] = token.content;
  }

  void encode(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const {
    BpeSink sink(bpe, scratch.bpe, out);
    for (const auto& raw : raw_tokens.split(text)) {
      if (raw.id >= 0) {
        out.push_back(raw.id);
        continue;
      }
      std::string normalised;
      std::string_view piece = raw.text;
      if (definition.normalizer == Normalizer::kNfc && !is_surely_nfc(piece))
        piece = normalised = to_nfc(piece);
      for (const auto& part : normalized_tokens.split(piece))
        part.id >= 0 ? out.push_back(part.id) : pre_tokenizer.split(part.text, scratch.regex, sink);
    }
  }
};

Tokenizer Tokenizer::from_gguf(const GgufHeader& header) {
  return Tokenizer(std::make_shared<const Impl>(definition_from_gguf(header)));
}

Tokenizer Tokenizer::from_json(const std::filesystem::path& tokenizer_json) try {
  // The largest vocabularies in use make files of 40 MB.
  constexpr uintmax_t kMaxFileBytes = uintmax_t{128} << 20;
  std::error_code unknown;
  const uintmax_t size = std::filesystem::file_size(tokenizer_json, unknown);
  if (!unknown && size > kMaxFileBytes)
    throw Error(ErrorKind::kInput, text(size, " bytes; a tokenizer.json of more than ",
                                        kMaxFileBytes, " bytes is refused"));
  const auto beside = [&tokenizer_json](const char* name) {
    const auto path = tokenizer_json.parent_path() / name;
    return std::filesystem::exists(path) ? read_file(path) : std::string();
  };
  auto definition =
      definition_from_json(read_file(tokenizer_json), beside("tokenizer_config.json"));
  if (definition.chat_template.empty()) definition.chat_template = beside("chat_template.jinja");
  return Tokenizer(std::make_shared<const Impl>(std::move(definition)));
} catch (const Error& error) {
  throw error.within(tokenizer_json.filename().string());
}

Tokenizer Tokenizer::open(const std::filesystem::path& model) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(model)) {
    if (model.extension() == ".json") return from_json(model);
    if (model.extension() == ".model")
      throw Error(ErrorKind::kInput,
                  text(in_quotes(model.filename().string()),
                       " is a SentencePiece model; Plumb reads byte-level BPE from a GGUF or a "
                       "tokenizer.json"));
    std::string magic(4, '\0');
    std::ifstream(model, std::ios::binary).read(magic.data(), 4);
    if (magic == "GGUF" || !fs::exists(model)) {
      const MappedFile file(model);
      try {
        return from_gguf(parse_gguf(file.bytes()));
      } catch (const Error& error) {
        throw error.within(model.filename().string());
      }
    }
  }
  const fs::path folder = fs::is_directory(model) ? model : model.parent_path();
  if (!fs::exists(folder / "tokenizer.json"))
    throw Error(
        ErrorKind::kInput,
        text("no tokenizer.json in ", in_quotes(folder.filename().string()),
             fs::exists(folder / "tokenizer.model") ? ", only a SentencePiece tokenizer.model" : "",
             "; Plumb reads byte-level BPE from a GGUF or a tokenizer.json"));
  return from_json(folder / "tokenizer.json");
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
  return bytes;
}

int64_t Tokenizer::vocabulary_size() const {
  return static_cast<int64_t>(impl_->token_bytes.size());
}

std::string Tokenizer::to_json() const {
  return impl_->definition.json.empty() ? tokenizer_json(impl_->definition)
                                        : impl_->definition.json;
}

std::string Tokenizer::to_config_json() const { return tokenizer_config_json(impl_->definition); }

}  // namespace plumb::models
