#include "models/document_reader.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/json_fields.h"

namespace plumb::models {
namespace {

constexpr uint64_t kAlwaysAllowed = uint64_t{64} << 20;
constexpr uint64_t kLargestExpansion = 200;
constexpr size_t kLongestLine = size_t{64} << 20;

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(std::string_view bytes) : bytes_(bytes) {}
  std::string_view next() override { return std::exchange(bytes_, std::string_view()); }

 private:
  std::string_view bytes_;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::string_view compressed)
      : rest_(compressed),
        allowed_(std::max(kAlwaysAllowed, kLargestExpansion * compressed.size())) {
    // 15 + 16: the largest window, gzip's head and check sum.
    if (inflateInit2(&stream_, 15 + 16) != Z_OK)
      throw Error(ErrorKind::kResource, "zlib found no memory to decompress with");
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() override { inflateEnd(&stream_); }

  std::string_view next() override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    while (!finished_ && stream_.avail_out > 0) inflate_some();
    const size_t made = buffer_.size() - stream_.avail_out;
    produced_ += made;
    if (produced_ > allowed_)
      throw Error(
          ErrorKind::kInput,
          text("gzip data expand beyond ", allowed_, " bytes, more than ", kLargestExpansion,
               " times their size: no text does; decompress the file yourself if it is meant so"));
    return {buffer_.data(), made};
  }

 private:
  void inflate_some() {
    if (stream_.avail_in == 0) {
      const std::string_view piece = rest_.substr(0, size_t{1} << 20);
      rest_.remove_prefix(piece.size());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
      stream_.avail_in = static_cast<uInt>(piece.size());
    }
    const bool last_input = rest_.empty();
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      finished_ = stream_.avail_in == 0 && last_input;
      if (!finished_) inflateReset(&stream_);  // another member follows
    } else if (result == Z_BUF_ERROR ||
               (result == Z_OK && last_input && stream_.avail_in == 0 && stream_.avail_out > 0)) {
      throw Error(ErrorKind::kInput,
                  "gzip data end before their check sum; was the download cut short?");
    } else if (result != Z_OK) {
      throw Error(ErrorKind::kInput,
                  text("gzip data are damaged (", stream_.msg ? stream_.msg : "zlib error",
                       "); fetch the file again"));
    }
  }

  std::string_view rest_;
  uint64_t allowed_;
  uint64_t produced_ = 0;
  bool finished_ = false;
  z_stream stream_ = {};
  std::string buffer_ = std::string(size_t{1} << 18, '\0');
};

/// Length of the valid UTF-8 sequence at the start of `text`, or 0. Overlong forms, surrogates and
/// what lies beyond U+10FFFF are invalid (RFC 3629, section 4).
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto within = [&](size_t i, unsigned low, unsigned high) {
    return byte(i) >= low && byte(i) <= high;
  };
  const auto tail = [&](size_t i) { return within(i, 0x80, 0xBF); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80, high = lead == 0xED ? 0x9F : 0xBF;
    return within(1, low, high) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xF4 ? 0x8F : 0xBF;
    return within(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Whether a file of that name, whose text begins with `first`, is JSONL.
bool is_json_lines(std::filesystem::path name, std::string_view first) {
  if (name.extension() == ".gz") name.replace_extension();
  const std::string extension = name.extension().string();
  if (extension == ".jsonl" || extension == ".ndjson" || extension == ".json") return true;
  return extension != ".txt" && extension != ".text" && first.starts_with('{');
}

}  // namespace

std::unique_ptr<ByteSource> plain_source(std::string_view bytes) {
  return std::make_unique<PlainSource>(bytes);
}

std::unique_ptr<ByteSource> gzip_source(std::string_view compressed) {
  return std::make_unique<GzipSource>(compressed);
}

std::optional<size_t> first_binary_byte(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = text[at] == '\0' ? 0 : sequence_length(text.substr(at, 4));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::optional<std::string> LineReader::next() {
  std::string line;
  bool any = false;
  for (;;) {
    if (piece_.empty() && !ended_) {
      piece_ = source_->next();
      ended_ = piece_.empty();
    }
    if (ended_) break;
    any = true;
    const size_t end = piece_.find('\n');
    const std::string_view part = piece_.substr(0, end);
    if (line.size() + part.size() > kLongestLine)
      throw Error(ErrorKind::kInput, text("line ", line_ + 1, " is longer than ", kLongestLine,
                                          " bytes; needed is one document or row on each line"));
    line += part;
    if (end != std::string_view::npos) {
      piece_.remove_prefix(end + 1);
      break;
    }
    piece_ = {};
  }
  if (!any) return std::nullopt;
  ++line_;
  line_begin_ = next_begin_;
  next_begin_ += line.size() + 1;
  require_text(line);
  return line;
}

void LineReader::require_text(std::string_view line) const {
  const auto bad = first_binary_byte(line);
  if (!bad) return;
  const bool nul = line[*bad] == '\0';
  throw Error(ErrorKind::kInput, text("byte ", line_begin_ + *bad, " (line ", line_, ") is ",
                                      nul ? "NUL" : "no valid UTF-8", "; needed is text in UTF-8"));
}

DocumentReader::DocumentReader(const std::filesystem::path& name, std::string_view bytes)
    : lines_(bytes.starts_with("\x1F\x8B") ? gzip_source(bytes) : plain_source(bytes)) {
  peeked_ = lines_.next();
  json_ = is_json_lines(name, peeked_ ? *peeked_ : "");
}

std::optional<Document> DocumentReader::next() { return json_ ? next_json() : next_plain(); }

std::optional<Document> DocumentReader::next_json() {
  if (!peeked_) return std::nullopt;
  const std::string line = *std::exchange(peeked_, std::nullopt);
  const std::string where = text("line ", lines_.line());
  if (is_blank(line))
    throw Error(ErrorKind::kInput,
                text(where,
                     " is blank; needed is a JSON object with a string \"text\" on "
                     "each line"));
  nlohmann::ordered_json object;
  try {
    object = parse_json(line);
  } catch (const Error& error) {
    throw error.within(where);
  }
  const auto field = object.is_object() ? object.find("text") : object.end();
  if (!object.is_object() || field == object.end() || !field->is_string())
    throw Error(ErrorKind::kInput,
                text(where,
                     !object.is_object()     ? text(" is a JSON ", object.type_name())
                     : field == object.end() ? std::string(" has no \"text\"")
                                             : text(" has a \"text\" of type ", field->type_name()),
                     "; needed is an object with a string \"text\""));
  peeked_ = lines_.next();
  return Document{count_++, field->get<std::string>()};
}

std::optional<Document> DocumentReader::next_plain() {
  std::string document;
  bool any = false;
  while (peeked_) {
    const std::string_view line = without_return(*peeked_);
    const bool blank = is_blank(line);
    if (!blank) {
      if (any) document += '\n';
      document += line;
      any = true;
    }
    peeked_ = lines_.next();
    if (blank && any) break;
  }
  if (!any) return std::nullopt;
  return Document{count_++, std::move(document)};
}

}  // namespace plumb::models
