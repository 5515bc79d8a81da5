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

size_t stride_of(const Answers& answers) {
  return (static_cast<size_t>(answers.points) + kPadding - 1) / kPadding * kPadding;
}

void require_draws(int64_t draws) {
  if (draws < 1)
    throw Error(ErrorKind::kInvariant, text(draws, " draws were asked for; needed is at least 1"));
}

/// [group][member]: questions. One group of all where there are none.
using Members = std::vector<std::vector<int64_t>>;

Members members_of(const Answers& answers) {
  require_answers(answers);
  const auto questions = static_cast<size_t>(answers.questions());
  if (!answers.groups.empty() && answers.groups.size() != questions)
    throw Error(ErrorKind::kInvariant,
                text(answers.groups.size(), " groups for ", questions, " questions"));
  Members out(1);
  for (size_t q = 0; q < questions; ++q) {
    const int64_t group = answers.groups.empty() ? 0 : answers.groups[q];
    if (group < 0 || group >= static_cast<int64_t>(questions))
      throw Error(ErrorKind::kInvariant,
                  text("question ", q, " is of group ", group, " among ", questions, " questions"));
    if (static_cast<size_t>(group) >= out.size()) out.resize(static_cast<size_t>(group) + 1);
    out[static_cast<size_t>(group)].push_back(static_cast<int64_t>(q));
  }
  for (size_t g = 0; g < out.size(); ++g)
    if (out[g].empty()) throw Error(ErrorKind::kInvariant, text("group ", g, " has no question"));
  return out;
}

/// Right answers; [points][group].
std::vector<std::vector<int64_t>> counts_of(const Answers& answers, const Members& groups) {
  const auto points = static_cast<size_t>(answers.points);
  std::vector<std::vector<int64_t>> counts(points, std::vector<int64_t>(groups.size(), 0));
  for (size_t g = 0; g < groups.size(); ++g)
    for (const int64_t q : groups[g])
      for (size_t p = 0; p < points; ++p)
        counts[p][g] += answers.right[static_cast<size_t>(q) * points + p];
  return counts;
}

double share(int64_t right, size_t questions) {
  return static_cast<double>(right) / static_cast<double>(questions);
}

double mean_of(const std::vector<double>& shares) {
  double sum = 0;
  for (const double share : shares) sum += share;
  return sum / static_cast<double>(shares.size());
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
  require_draws(draws);
  const auto points = static_cast<size_t>(answers.points);
  const size_t stride = stride_of(answers);
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

std::vector<double> accuracies(const Answers& answers) {
  const Members groups = members_of(answers);
  std::vector<double> out;
  for (const std::vector<int64_t>& counts : counts_of(answers, groups)) {
    std::vector<double> shares;
    for (size_t g = 0; g < groups.size(); ++g) shares.push_back(share(counts[g], groups[g].size()));
    out.push_back(mean_of(shares));
  }
  return out;
}

std::vector<double> precisions(const Answers& answers) {
  const Members groups = members_of(answers);
  const auto questions = static_cast<double>(answers.questions());
  const auto count = static_cast<double>(groups.size());
  std::vector<double> out;
  for (const std::vector<int64_t>& counts : counts_of(answers, groups)) {
    double variance = 0;  // of the mean, times the questions
    for (size_t g = 0; g < groups.size(); ++g) {
      const auto size = static_cast<double>(groups[g].size());
      const double p = (static_cast<double>(counts[g]) + 0.5) / (size + 1);
      variance += p * (1 - p) * questions / (size * count * count);
    }
    out.push_back(0.25 / variance);
  }
  return out;
}

std::vector<double> resample_accuracies(const Answers& answers, int64_t draws, uint64_t seed) {
  const Members groups = members_of(answers);
  require_draws(draws);
  const auto points = static_cast<size_t>(answers.points);
  const size_t stride = stride_of(answers);
  const std::vector<uint8_t> rows = padded_rows(answers, stride);
  std::vector<double> out(static_cast<size_t>(draws) * points, 0);
  std::vector<uint8_t> bytes(stride);
  std::vector<int64_t> picked, counts(points);
  std::vector<std::vector<double>> shares(points, std::vector<double>(groups.size()));
  for (size_t draw = 0; draw < static_cast<size_t>(draws); ++draw) {
    for (size_t g = 0; g < groups.size(); ++g) {
      const std::vector<int64_t>& members = groups[g];
      resample(static_cast<int64_t>(members.size()), seed, draw * groups.size() + g, picked);
      for (int64_t& q : picked) q = members[static_cast<size_t>(q)];
      std::fill(counts.begin(), counts.end(), 0);
      add_rows(rows, stride, picked, bytes, counts);
      for (size_t p = 0; p < points; ++p) shares[p][g] = share(counts[p], members.size());
    }
    for (size_t p = 0; p < points; ++p) out[draw * points + p] = mean_of(shares[p]);
  }
  return out;
}

}  // namespace plumb
