#include <cmath>
#include <cstring>
#include <unordered_set>

#include "base/error.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/definition.h"
#include "models/tokenizer/sentencepiece.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

using File = SentencePieceFile;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kInput, what); }

// Fields of one protocol buffer message, in order.
class Message {
 public:
  explicit Message(std::string_view all) : rest_(all) {}

  bool next() {
    if (rest_.empty()) return false;
    const uint64_t tag = varint();
    field = tag >> 3;
    number = 0;
    bytes = {};
    switch (tag & 7) {
      case 0:
        number = varint();
        return true;
      case 1:
        return bytes = take(8), true;
      case 2:
        return bytes = take(varint()), true;
      case 5:
        return bytes = take(4), true;
      default:
        refuse("not a SentencePiece model: it holds a field that no such file has");
    }
  }
  std::string_view text(const char* what) const {
    if (!is_utf8(bytes)) refuse(plumb::text(what, " is not valid UTF-8"));
    return bytes;
  }
  bool flag() const { return number != 0; }

  uint64_t field = 0, number = 0;
  std::string_view bytes;

 private:
  std::string_view take(uint64_t length) {
    if (length > rest_.size())
      refuse(plumb::text("not a SentencePiece model, or cut short: a field of ", length,
                         " bytes where ", rest_.size(), " are left"));
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    refuse("not a SentencePiece model: a number of more than ten bytes");
  }
  std::string_view rest_;
};

File::Piece read_piece(std::string_view bytes) {
  File::Piece piece;
  for (Message message(bytes); message.next();) {
    if (message.field == 1) piece.text = message.bytes;
    if (message.field == 2 && message.bytes.size() == sizeof piece.score)
      std::memcpy(&piece.score, message.bytes.data(), sizeof piece.score);
    if (message.field == 3) piece.type = static_cast<int64_t>(message.number);
  }
  return piece;
}

void read_trainer(std::string_view bytes, File& file) {
  for (Message message(bytes); message.next();) {
    if (message.field == 3) file.model = static_cast<int64_t>(message.number);
    if (message.field == 24) file.whitespace_as_suffix = message.flag();
    if (message.field == 35) file.byte_fallback = message.flag();
    if (message.field == 46) file.bos = message.text("the BOS piece");
    if (message.field == 47) file.eos = message.text("the EOS piece");
    if (message.field == 48) file.pad = message.text("the padding piece");
  }
}

void read_normalizer(std::string_view bytes, File& file) {
  for (Message message(bytes); message.next();) {
    if (message.field == 2) file.character_map = message.bytes;
    if (message.field == 3) file.add_dummy_prefix = message.flag();
    if (message.field == 4) file.remove_extra_whitespaces = message.flag();
    if (message.field == 5) file.escape_whitespaces = message.flag();
  }
}

void require_bytes(const File& file) {
  std::unordered_set<uint8_t> bytes;
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    const File::Piece& piece = file.pieces[id];
    if (piece.type != File::kByte) continue;
    const auto byte = byte_of_token(piece.text);
    if (!byte)
      refuse(
          text("byte piece ", id, " is ", in_quotes(piece.text), ", not one of <0x00> to <0xFF>"));
    bytes.insert(*byte);
  }
  if (file.byte_fallback ? bytes.size() != 256 : !bytes.empty())
    refuse(text(bytes.size(), " byte pieces in a model with", file.byte_fallback ? "" : "out",
                " byte fallback, which needs ", file.byte_fallback ? "256" : "none"));
}

void require_pieces(const File& file) {
  Vocabulary texts;
  size_t unknown = 0;
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    const File::Piece& piece = file.pieces[id];
    if (piece.type < File::kNormal || piece.type > File::kByte)
      refuse(text("piece ", id, " has type ", piece.type, "; known are 1 to 6"));
    if (!std::isfinite(piece.score)) refuse(text("the score of piece ", id, " is not a number"));
    if (piece.text.find('\0') != std::string::npos)
      refuse(text("piece ", id, " holds a zero byte"));
    if (piece.type == File::kUnknown) ++unknown;
    texts.push_back(piece.text);
  }
  const VocabularyIndex index(texts);
  if (unknown != 1) refuse(text(unknown, " unknown pieces; exactly one is needed"));
}

// A double-array trie (its size in front, in bytes) and the strings that it leads to. What the
// library follows without looking is looked at here: each unit's target and each value.
void require_character_map(std::string_view map) {
  if (map.empty()) return;
  uint32_t trie_bytes = 0;
  constexpr size_t kBlock = 256;
  if (map.size() <= sizeof trie_bytes) refuse("the normaliser's character map is cut short");
  std::memcpy(&trie_bytes, map.data(), sizeof trie_bytes);
  map.remove_prefix(sizeof trie_bytes);
  if (trie_bytes >= map.size() || trie_bytes == 0 || trie_bytes % (kBlock * 4) != 0)
    refuse(text("the normaliser's character map has ", map.size(), " bytes and a trie of ",
                trie_bytes));
  std::vector<uint32_t> units(trie_bytes / 4);
  std::memcpy(units.data(), map.data(), trie_bytes);
  const std::string_view strings = map.substr(trie_bytes);
  if (strings.back() != '\0') refuse("the strings of the normaliser's character map do not end");
  constexpr uint32_t kIsValue = 1u << 31;
  for (uint32_t at = 0; at < units.size(); ++at) {
    const uint32_t unit = units[at];
    if ((unit & kIsValue) != 0) continue;
    const uint32_t target = at ^ (unit >> 10 << ((unit & 0x200) >> 6));
    if ((target | (kBlock - 1)) >= units.size())
      refuse(text("unit ", at, " of the normaliser's character map leads out of bounds"));
    if ((unit & 0x100) != 0 && (units[target] & ~kIsValue) >= strings.size())
      refuse(text("unit ", at, " of the normaliser's character map names a string out of bounds"));
  }
}

}  // namespace

SentencePieceFile parse_sentencepiece(std::string_view bytes) {
  if (bytes.empty()) refuse("the file is empty");
  File file;
  for (Message message(bytes); message.next();) {
    if (message.field == 1) file.pieces.push_back(read_piece(message.bytes));
    if (message.field == 2) read_trainer(message.bytes, file);
    if (message.field == 3) read_normalizer(message.bytes, file);
    // At once: an empty message of two bytes would be a piece of fifty.
    if (message.field == 1 && file.pieces.back().text.empty())
      refuse(text("token ", file.pieces.size() - 1, " is empty; the vocabulary has a hole there"));
    if (file.pieces.size() > kMaxVocabulary) refuse(text("more than ", kMaxVocabulary, " pieces"));
  }
  if (file.pieces.empty()) refuse("not a SentencePiece model: it has no pieces");
  if (file.model != File::kUnigram && file.model != File::kBpe)
    refuse(text("a SentencePiece model of ",
                file.model == File::kWord        ? "words"
                : file.model == File::kCharacter ? "characters"
                                                 : text("type ", file.model),
                " is not supported; Plumb reads BPE and unigram"));
  require_pieces(file);
  require_bytes(file);
  require_character_map(file.character_map);
  return file;
}

}  // namespace plumb::models
