#include "models/tokenizer/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <exception>

#include "base/error.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {
namespace {

using sentencepiece::SentencePieceProcessor;

[[noreturn]] void refuse(std::string what) {
  for (char& c : what)
    if (static_cast<uint8_t>(c) < 0x20) c = ' ';
  throw Error(ErrorKind::kInput, "libsentencepiece: " + what);
}

void load(SentencePieceProcessor& processor, const std::string& model) try {
  const auto status = processor.LoadFromSerializedProto(model);
  if (!status.ok()) refuse(status.ToString());
} catch (const Error&) {
  throw;
} catch (const std::exception& error) {  // of the trie that it builds from the pieces
  refuse(error.what());
}

}  // namespace

struct SentencePiece::Processors {
  SentencePieceProcessor with_prefix, without_prefix;
};

SentencePiece::SentencePiece(const std::string& model)
    : processors_(std::make_unique<Processors>()) {
  parse_sentencepiece(model);
  load(processors_->with_prefix, model);
  // A message that stands twice is merged: field 3 (normalizer_spec) with its own field 3
  // (add_dummy_prefix) false.
  load(processors_->without_prefix, model + std::string("\x1a\x02\x18\x00", 4));
}

SentencePiece::~SentencePiece() = default;
SentencePiece::SentencePiece(SentencePiece&&) noexcept = default;

void SentencePiece::encode(std::string_view text, bool prefix, std::vector<int32_t>& out) const {
  std::vector<int> ids;
  const auto& processor = prefix ? processors_->with_prefix : processors_->without_prefix;
  const auto status = processor.Encode(absl::string_view(text.data(), text.size()), &ids);
  if (!status.ok()) refuse(status.ToString());
  out.insert(out.end(), ids.begin(), ids.end());
}

}  // namespace plumb::models
