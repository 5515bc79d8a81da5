#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/tokenizer_config.h"

namespace plumb::models {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kInput, what); }

// 0 to 63, or -1.
int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Whole groups of four, padded with '='; the bits that padding leaves over are zero.
std::optional<std::string> from_base64(std::string_view coded) {
  if (coded.empty() || coded.size() % 4 != 0) return std::nullopt;
  const size_t padding = coded.ends_with("==") ? 2 : coded.ends_with('=') ? 1 : 0;
  std::string bytes;
  uint32_t bits = 0;
  for (size_t i = 0; i < coded.size(); ++i) {
    const bool padded = i + padding >= coded.size();
    const int value = padded ? 0 : value_of(coded[i]);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 3) continue;
    for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(bits >> shift));
    bits = 0;
  }
  for (size_t i = 0; i < padding; ++i) {
    if (bytes.back() != 0) return std::nullopt;
    bytes.pop_back();
  }
  return bytes;
}

struct Line {
  std::string token;  ///< its bytes
  size_t rank = 0;
};

// `most`: what a rank must be below.
Line read_line(std::string_view line, size_t number, size_t most) {
  const size_t space = line.find(' ');
  const std::string_view rank = line.substr(std::min(line.size(), space + 1));
  Line made;
  const auto [end, error] = std::from_chars(rank.data(), rank.data() + rank.size(), made.rank);
  if (space == std::string_view::npos || error != std::errc() || end != rank.data() + rank.size() ||
      made.rank >= kMaxVocabulary)
    refuse(text("line ", number, " is ", in_quotes(line),
                "; a token in base64, a space and its rank are needed"));
  if (made.rank >= most)
    refuse(text("line ", number, " has rank ", made.rank, " in a file of ", most,
                " lines; ranks must not leave holes"));
  const auto token = from_base64(line.substr(0, space));
  if (!token)
    refuse(text("line ", number, ": ", in_quotes(line.substr(0, space)), " is no base64"));
  made.token = *token;
  return made;
}

void read_vocabulary(std::string_view lines, TokenizerDefinition& definition) {
  auto& vocabulary = definition.vocabulary;
  const auto most = static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n')) + 1;
  size_t count = 0;
  for (size_t number = 1; !lines.empty(); ++number) {
    const size_t length = std::min(lines.find('\n'), lines.size());
    std::string_view row = lines.substr(0, length);
    lines.remove_prefix(std::min(lines.size(), length + 1));
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const Line line = read_line(row, number, most);
    if (line.rank >= vocabulary.size()) vocabulary.resize(line.rank + 1);
    if (!vocabulary[line.rank].empty())
      refuse(text("line ", number, ": rank ", line.rank, " stands twice"));
    for (const char c : line.token) vocabulary[line.rank] += byte_symbol(static_cast<uint8_t>(c));
    ++count;
  }
  if (count != vocabulary.size()) {
    const auto hole = std::find(vocabulary.begin(), vocabulary.end(), std::string());
    refuse(text("no token has rank ", hole - vocabulary.begin(), "; ranks must not leave holes"));
  }
}

void require_all_bytes(const VocabularyIndex& index) {
  for (int byte = 0; byte < 256; ++byte)
    if (!index.find(byte_symbol(static_cast<uint8_t>(byte))))
      refuse(text("no token is the single byte ", byte, "; tiktoken needs all 256"));
}

void add_special(const std::string& name, TokenizerDefinition& definition) {
  const auto id = static_cast<int32_t>(definition.vocabulary.size() + definition.added.size());
  definition.added.push_back({.id = id, .content = name, .special = true, .normalized = true});
}

}  // namespace

TokenizerDefinition definition_from_tiktoken(std::string_view lines, const std::string& config) {
  TokenizerDefinition definition;
  read_vocabulary(lines, definition);
  require_all_bytes(VocabularyIndex(definition.vocabulary));
  std::vector<std::optional<uint32_t>> ranks(definition.vocabulary.size());
  for (size_t id = 0; id < ranks.size(); ++id) ranks[id] = static_cast<uint32_t>(id);
  definition.merges = merges_by_result(definition.vocabulary, ranks, /*loose_characters=*/false);
  definition.ignore_merges = true;
  const auto& known = known_pre_tokenizers();
  definition.steps = std::find_if(known.begin(), known.end(), [](const auto& k) {
                       return k.name == "qwen2";
                     })->steps;
  definition.normalizer = {{.kind = NormalizerStep::Kind::kNfc}};
  constexpr int kExtras = 205;
  for (const char* name : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"})
    add_special(name, definition);
  for (int i = 0; i < kExtras; ++i) add_special(text("<|extra_", i, "|>"), definition);
  definition.eos = definition.added[0].id;
  if (!config.empty()) read_tokenizer_config(config, /*decides=*/true, /*bos=*/false, definition);
  return definition;
}

}  // namespace plumb::models
