#include "models/tokenizer/definition.h"

#include <unordered_set>

#include "base/error.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kInput, what); }

void require_sane(std::string_view token, int64_t id) {
  if (token.empty()) refuse(text("token ", id, " is empty; the vocabulary has a hole there"));
  if (token.size() > kMaxTokenBytes)
    refuse(text("token ", id, " has ", token.size(), " bytes, more than ", kMaxTokenBytes));
  if (!is_utf8(token)) refuse(text("token ", id, " is not valid UTF-8"));
}

// What moves a terminal's cursor or the direction of its text.
bool is_control(uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x200E || point == 0x200F ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

}  // namespace

std::string in_quotes(std::string_view name) {
  constexpr size_t kShown = 40;
  const bool utf8 = is_utf8(name);
  size_t length = std::min(name.size(), kShown);
  while (length > 0 && length < name.size() && (static_cast<uint8_t>(name[length]) & 0xC0) == 0x80)
    --length;
  std::string shown = "'";
  for (const char *at = name.data(), *end = at + length; at < end;) {
    const char* const begin = at;
    const auto point = utf8 ? next_code_point(at) : static_cast<uint8_t>(*at++);
    if (is_control(point) || (!utf8 && point >= 0x80))
      shown += '?';
    else
      shown.append(begin, at);
  }
  return shown + (length < name.size() ? "...'" : "'");
}

int64_t TokenizerDefinition::size() const {
  auto last = static_cast<int64_t>(vocabulary.size());
  for (const AddedToken& token : added) last = std::max(last, int64_t{token.id} + 1);
  return last;
}

std::string_view TokenizerDefinition::token(int32_t id) const {
  if (static_cast<size_t>(id) < vocabulary.size()) return vocabulary[static_cast<size_t>(id)];
  for (const AddedToken& token : added)
    if (token.id == id) return token.content;
  throw Error(ErrorKind::kInvariant, text("no token has id ", id));
}

VocabularyIndex::VocabularyIndex(const Vocabulary& vocabulary) {
  if (vocabulary.empty()) refuse("the vocabulary is empty");
  if (vocabulary.size() > kMaxVocabulary)
    refuse(text("the vocabulary has ", vocabulary.size(), " tokens, more than ", kMaxVocabulary));
  ids_.max_load_factor(2);  // four bytes a token ahead, which has more in any file
  ids_.reserve(vocabulary.size());
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    require_sane(vocabulary[id], static_cast<int64_t>(id));
    const auto [found, is_new] = ids_.emplace(vocabulary[id], static_cast<int32_t>(id));
    if (!is_new)
      refuse(text("token ", in_quotes(vocabulary[id]), " stands twice in the vocabulary, as id ",
                  found->second, " and ", id));
  }
}

std::optional<int32_t> VocabularyIndex::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

Merge VocabularyIndex::merge(std::string_view left, std::string_view right, size_t rank) const {
  std::string joined(left);
  joined += right;
  const auto id = [&](std::string_view token) {
    const auto found = ids_.find(token);
    if (found == ids_.end())
      refuse(text("merge ", rank, " (", in_quotes(left), " ", in_quotes(right), ") needs token ",
                  in_quotes(token), ", which the vocabulary does not have"));
    return found->second;
  };
  return {id(left), id(right), id(joined), static_cast<uint32_t>(rank)};
}

void require_consistent(const TokenizerDefinition& definition) {
  if (definition.added.size() > kMaxAddedTokens)
    refuse(text(definition.added.size(), " added tokens, more than ", kMaxAddedTokens));
  std::unordered_set<std::string_view> contents;
  std::unordered_set<int32_t> ids;
  auto next = static_cast<int64_t>(definition.vocabulary.size());
  size_t bytes = 0;
  for (const AddedToken& token : definition.added) {
    require_sane(token.content, token.id);
    bytes += token.content.size();
    if (bytes > kMaxAddedBytes)
      refuse(text("added tokens of more than ", kMaxAddedBytes, " bytes together"));
    if (!contents.insert(token.content).second || !ids.insert(token.id).second)
      refuse(text("added token ", in_quotes(token.content), " (id ", token.id, ") stands twice"));
    if (token.id < 0 || token.id > next)
      refuse(text("added token ", in_quotes(token.content), " has id ", token.id, " where ", next,
                  " is the next free one; ids must not leave holes"));
    if (token.id == next) ++next;
  }
  const auto require_token = [&](const char* name, std::optional<int32_t> id) {
    if (id && (*id < 0 || *id >= next))
      refuse(text("the ", name, " token has id ", *id, ", but ids end at ", next - 1));
  };
  require_token("BOS", definition.bos);
  require_token("EOS", definition.eos);
  require_token("unknown", definition.unk);
  require_token("padding", definition.pad);
  require_token("model's unknown", definition.unknown);
  for (const int32_t id : definition.prefix) require_token("template's", id);
  for (const int32_t id : definition.suffix) require_token("template's", id);
}

}  // namespace plumb::models
