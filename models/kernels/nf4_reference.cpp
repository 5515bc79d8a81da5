#include "base/error.h"
#include "models/kernels/nf4.h"

namespace plumb::models {

void require_nf4_sizes(size_t code_bytes, size_t absmax_count, size_t count) {
  const auto needed_bytes = static_cast<size_t>(nf4_code_bytes(static_cast<int64_t>(count)));
  const auto needed_blocks = static_cast<size_t>(nf4_blocks(static_cast<int64_t>(count)));
  if (code_bytes == needed_bytes && absmax_count == needed_blocks) return;
  throw Error(ErrorKind::kInvariant,
              text("NF4: ", count, " weights need ", needed_bytes, " code bytes and ",
                   needed_blocks, " scales, found ", code_bytes, " and ", absmax_count));
}

// The definition that the other versions are held to: no cleverness in this file.
void nf4_dequantize_reference(std::span<const uint8_t> codes, std::span<const float> absmax,
                              std::span<float> out) {
  require_nf4_sizes(codes.size(), absmax.size(), out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const unsigned pair = codes[i / 2];
    const unsigned code = i % 2 == 0 ? pair >> 4 : pair & 0x0Fu;
    out[i] = kNf4Levels[code] * absmax[i / kNf4Block];
  }
}

}  // namespace plumb::models
