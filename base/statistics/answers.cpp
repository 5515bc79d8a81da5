#include "base/statistics/answers.h"

#include <algorithm>

#include "base/error.h"
#include "base/statistics/bootstrap.h"

namespace plumb {
namespace {

/// So many rows fit the byte counters.
constexpr size_t kRowsABlock = 255;
/// Rows are padded to whole vector registers.
constexpr size_t kPadding = 16;

std::vector<uint8_t> padded_rows(const Answers& answers, size_t stride) {
  const auto points = static_cast<size_t>(answers.points);
  std::vector<uint8_t> rows(static_cast<size_t>(answers.questions()) * stride, 0);
  for (size_t q = 0; q * points < answers.right.size(); ++q)
    std::copy_n(answers.right.begin() + static_cast<std::ptrdiff_t>(q * points), points,
                rows.begin() + static_cast<std::ptrdiff_t>(q * stride));
  return rows;
}

/// Adds the rows that `picked` names to `counts`.
void add_rows(const std::vector<uint8_t>& rows, size_t stride, std::span<const int64_t> picked,
              std::vector<uint8_t>& bytes, std::span<int64_t> counts) {
  for (size_t begin = 0; begin < picked.size(); begin += kRowsABlock) {
    std::fill(bytes.begin(), bytes.end(), uint8_t{0});
    const auto block = picked.subspan(begin, std::min(kRowsABlock, picked.size() - begin));
    uint8_t* const sum = bytes.data();
    for (const int64_t question : block) {
      const uint8_t* const row = rows.data() + static_cast<size_t>(question) * stride;
      for (size_t p = 0; p < stride; ++p) sum[p] = static_cast<uint8_t>(sum[p] + row[p]);
    }
    for (size_t p = 0; p < counts.size(); ++p) counts[p] += bytes[p];
  }
}

}  // namespace

void require_answers(std::span<const uint8_t> right) {
  if (right.empty()) throw Error(ErrorKind::kInvariant, "a statistic of no answers was asked for");
  const auto bad = std::find_if(right.begin(), right.end(), [](uint8_t byte) { return byte > 1; });
  if (bad != right.end())
    throw Error(ErrorKind::kInvariant, text("answer ", bad - right.begin(), " is ",
                                            static_cast<int>(*bad), "; needed is 0 or 1"));
}

void require_answers(const Answers& answers) {
  require_answers(answers.right);
  if (answers.points < 1 || answers.right.size() % static_cast<size_t>(answers.points) != 0)
    throw Error(ErrorKind::kInvariant,
                text(answers.right.size(), " answers at ", answers.points,
                     " points; needed are whole rows of at least one point"));
}

std::vector<int64_t> count_right(const Answers& answers) {
  require_answers(answers);
  const auto points = static_cast<size_t>(answers.points);
  std::vector<int64_t> counts(points, 0);
  for (size_t i = 0; i < answers.right.size(); ++i) counts[i % points] += answers.right[i];
  return counts;
}

std::vector<int64_t> resample_right(const Answers& answers, int64_t draws, uint64_t seed) {
  require_answers(answers);
  if (draws < 1)
    throw Error(ErrorKind::kInvariant, text(draws, " draws were asked for; needed is at least 1"));
  const auto points = static_cast<size_t>(answers.points);
  const size_t stride = (points + kPadding - 1) / kPadding * kPadding;
  const std::vector<uint8_t> rows = padded_rows(answers, stride);
  std::vector<int64_t> counts(static_cast<size_t>(draws) * points, 0);
  std::vector<uint8_t> bytes(stride);
  std::vector<int64_t> picked;
  for (int64_t draw = 0; draw < draws; ++draw) {
    resample(answers.questions(), seed, static_cast<uint64_t>(draw), picked);
    add_rows(rows, stride, picked, bytes,
             std::span(counts).subspan(static_cast<size_t>(draw) * points, points));
  }
  return counts;
}

}  // namespace plumb
