#include "models/formats/bounds.h"

#include <bit>

#include "base/error.h"

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

std::span<const std::byte> ByteCursor::take(uint64_t count, std::string_view what) {
  if (count > remaining())
    throw Error(ErrorKind::kInput,
                text(what, " needs ", count, " bytes at byte ", position_, " but only ",
                     remaining(), " remain; the file is cut short or damaged: fetch it again"));
  const auto taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

}  // namespace plumb::models
