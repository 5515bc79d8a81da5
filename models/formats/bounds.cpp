#include "models/formats/bounds.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "models/formats/model_file.h"

namespace plumb::models {

static_assert(std::endian::native == std::endian::little, "both formats are little-endian");

std::string printable(std::string_view untrusted) {
  constexpr size_t kLongest = 120;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : untrusted.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  if (untrusted.size() > kLongest) out += text("... (", untrusted.size(), " bytes)");
  return out + "'";
}

ByteCursor::ByteCursor(const ModelFile& file)
    : file_(&file), size_(file.size()), copies_(std::make_shared<Copies>()) {}

ByteCursor ByteCursor::ahead() const {
  ByteCursor other = *this;
  if (file_) other.copies_ = std::make_shared<Copies>();
  other.forgets_ = true;
  return other;
}

void ByteCursor::require(uint64_t count, std::string_view what) const {
  if (count > remaining())
    throw Error(ErrorKind::kInput,
                text(what, " needs ", count, " bytes at byte ", position_, " but only ",
                     remaining(), " remain; the file is cut short or damaged: fetch it again"));
}

// At least `least` bytes, which remain, from the position on.
void ByteCursor::copy(uint64_t least) {
  constexpr uint64_t kPiece = 64 << 10;
  if (forgets_) copies_->clear();
  auto& piece = copies_->emplace_back(std::min(std::max(least, kPiece), remaining()));
  file_->read(position_, piece);
  window_ = piece;
  window_begin_ = position_;
}

std::span<const std::byte> ByteCursor::take(uint64_t count, std::string_view what) {
  require(count, what);
  if (file_ && position_ - window_begin_ + count > window_.size()) copy(count);
  const auto taken = window_.subspan(position_ - window_begin_, count);
  position_ += count;
  return taken;
}

void ByteCursor::skip(uint64_t count, std::string_view what) {
  require(count, what);
  position_ += count;
}

}  // namespace plumb::models
