#include "models/formats/weight_reader.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <vector>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/formats/gguf.h"

namespace plumb::models {
namespace {

constexpr uint64_t kPieceBytes =
    128 << 10;  // of the file at a time and thread: stays in a core's second cache

int64_t count_not_finite(const float* values, int64_t count) {
  int64_t bad = 0;
  for (int64_t i = 0; i < count; ++i)
    bad += (std::bit_cast<uint32_t>(values[i]) & 0x7f800000u) == 0x7f800000u;
  return bad;
}

int64_t count_not_finite(const uint16_t* bf16, int64_t count) {
  int64_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad += (bf16[i] & 0x7f80) == 0x7f80;
  return bad;
}

// To nearest, ties to even; the values are finite, so the carry at most makes an infinity. Returns
// how many it made.
int64_t round_to_bf16(const float* values, int64_t count, uint16_t* out) {
  int64_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]);
    out[i] = static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
    bad += (out[i] & 0x7f80) == 0x7f80;
  }
  return bad;
}

class Reader {
 public:
  Reader(const ModelFile& file, const TensorEntry& entry, int64_t first, int64_t head_rows,
         const at::Tensor& out)
      : file_(file),
        entry_(entry),
        first_(first),
        rows_(out.size(0)),
        columns_(entry.shape.back()),
        head_rows_(head_rows),
        row_bytes_(stored_bytes(entry.name, {columns_}, entry.type)),
        out_(out) {}

  void read() {
    const auto rows_a_piece = static_cast<int64_t>(
        std::max<uint64_t>(1, kPieceBytes / std::max<uint64_t>(1, row_bytes_)));
    if (is_as_stored()) {
      at::parallel_for(0, rows_, rows_a_piece, [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; at += rows_a_piece)
          read_as_stored(at, std::min(rows_a_piece, end - at));
      });
      return refuse_bad();
    }
    at::parallel_for(0, rows_, rows_a_piece, [&](int64_t begin, int64_t end) {
      std::vector<std::byte> bytes;
      std::vector<float> row(out_.scalar_type() == at::kFloat ? 0 : static_cast<size_t>(columns_));
      for (int64_t at = begin; at < end; at += rows_a_piece) {
        const int64_t count = std::min(rows_a_piece, end - at);
        bytes.resize(static_cast<uint64_t>(count) * row_bytes_);
        file_.read(entry_.begin + static_cast<uint64_t>(first_ + at) * row_bytes_, bytes);
        for (int64_t r = 0; r < count; ++r)
          decode_row(std::span(bytes).subspan(static_cast<uint64_t>(r) * row_bytes_, row_bytes_),
                     at + r, row);
      }
    });
    refuse_bad();
  }

 private:
  void refuse_bad() const {
    if (bad_ > 0)
      throw Error(ErrorKind::kInput,
                  text("tensor ", printable(entry_.name), " holds ", bad_.load(),
                       " values that are NaN or infinite",
                       out_.scalar_type() == at::kFloat ? "" : " in bf16", ", the first at index ",
                       first_bad_.load(), " (row ", first_bad_ / columns_, ", column ",
                       first_bad_ % columns_, "); the model is damaged or badly converted"));
  }

  bool is_as_stored() const {
    const at::ScalarType type = out_.scalar_type();
    return head_rows_ == 0 && ((entry_.type == StoredType::kF32 && type == at::kFloat) ||
                               (entry_.type == StoredType::kBf16 && type == at::kBFloat16));
  }

  // The file's bytes are the values: they are read to their place.
  void read_as_stored(int64_t row, int64_t count) {
    auto* place =
        static_cast<std::byte*>(out_.data_ptr()) + static_cast<uint64_t>(row) * row_bytes_;
    file_.read(entry_.begin + static_cast<uint64_t>(first_ + row) * row_bytes_,
               {place, static_cast<uint64_t>(count) * row_bytes_});
    for (int64_t r = row; r < row + count; ++r)
      if (entry_.type == StoredType::kF32)
        check(static_cast<const float*>(out_.data_ptr()) + r * columns_, r);
      else
        check(static_cast<const uint16_t*>(out_.data_ptr()) + r * columns_, r);
  }

  template <typename Value>
  void check(const Value* values, int64_t row) {
    if (const int64_t bad = count_not_finite(values, columns_); bad > 0)
      note(bad, row, [&](int64_t i) { return count_not_finite(values + i, 1) > 0; });
  }

  void decode_row(std::span<const std::byte> bytes, int64_t row, std::vector<float>& scratch) {
    const int64_t at = target_row(row) * columns_;
    const bool narrow = out_.scalar_type() == at::kBFloat16;
    float* values = narrow ? scratch.data() : static_cast<float*>(out_.data_ptr()) + at;
    dequantize(entry_.type, bytes, {values, static_cast<size_t>(columns_)});
    int64_t bad = count_not_finite(values, columns_);
    if (bad > 0) note(bad, row, [&](int64_t i) { return count_not_finite(values + i, 1) > 0; });
    if (!narrow || bad > 0) return;
    uint16_t* rounded = static_cast<uint16_t*>(out_.data_ptr()) + at;
    bad = round_to_bf16(values, columns_, rounded);
    if (bad > 0) note(bad, row, [&](int64_t i) { return (rounded[i] & 0x7f80) == 0x7f80; });
  }

  template <typename IsBad>
  void note(int64_t count, int64_t row, IsBad&& is_bad) {
    int64_t column = 0;
    while (!is_bad(column)) ++column;
    const int64_t index = (first_ + row) * columns_ + column;
    int64_t first = first_bad_;
    while (index < first && !first_bad_.compare_exchange_weak(first, index)) {
    }
    bad_ += count;
  }

  int64_t target_row(int64_t row) const {
    if (head_rows_ == 0) return row;
    const int64_t within = row % head_rows_;
    return row - within + within % 2 * (head_rows_ / 2) + within / 2;
  }

  const ModelFile& file_;
  const TensorEntry& entry_;
  int64_t first_;  // row of the tensor; all other rows count from it
  int64_t rows_;
  int64_t columns_;
  int64_t head_rows_;  // 0: rows stay where they are
  uint64_t row_bytes_;
  at::Tensor out_;
  std::atomic<int64_t> bad_ = 0;
  std::atomic<int64_t> first_bad_ = std::numeric_limits<int64_t>::max();
};

}  // namespace

int64_t row_count(const TensorEntry& entry) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < entry.shape.size(); ++i) rows *= entry.shape[i];
  return rows;
}

void read_rows(const ModelFile& file, const TensorEntry& entry, int64_t first, int64_t head_rows,
               const at::Tensor& out) {
  const int64_t rows = row_count(entry), count = out.dim() == 2 ? out.size(0) : -1;
  const bool whole_heads = head_rows == 0 || (first % head_rows == 0 && count % head_rows == 0);
  if (first < 0 || count < 0 || count > rows || first > rows - count || !whole_heads)
    throw Error(ErrorKind::kInvariant, text("rows ", first, " to ", first + count, " of tensor ",
                                            printable(entry.name), ", which has ", rows));
  if (out.size(1) != entry.shape.back() || !out.is_contiguous() ||
      (out.scalar_type() != at::kFloat && out.scalar_type() != at::kBFloat16))
    throw Error(ErrorKind::kInvariant,
                text("rows of tensor ", printable(entry.name), " have ", entry.shape.back(),
                     " columns and are read as fp32 or bf16, the place for them is ", out.sizes(),
                     " ", out.scalar_type()));
  Reader(file, entry, first, head_rows, out).read();
}

}  // namespace plumb::models
