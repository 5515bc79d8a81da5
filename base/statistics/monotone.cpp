#include "base/statistics/monotone.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

/// Neighbouring points with one level.
struct Block {
  double level = 0;
  double weight = 0;
  size_t points = 0;
};

std::vector<double> levels_of(const std::vector<Block>& blocks) {
  std::vector<double> levels;
  for (const Block& block : blocks) levels.insert(levels.end(), block.points, block.level);
  return levels;
}

Block joined(const Block& a, const Block& b) {
  const double weight = a.weight + b.weight;
  return {(a.level * a.weight + b.level * b.weight) / weight, weight, a.points + b.points};
}

std::vector<Block> falling_blocks(std::span<const double> values, std::span<const double> weights) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < values.size(); ++i) {
    blocks.push_back({values[i], weights[i], 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].level < blocks.back().level) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back() = joined(blocks.back(), last);
    }
  }
  return blocks;
}

/// share log(share / level), 0 for no share.
double term(double share, double level) { return share > 0 ? share * std::log(share / level) : 0; }

/// Twice the log-likelihood that `shares` of n trials each lose by `levels`.
double twice_loss(std::span<const double> shares, std::span<const double> levels, double n) {
  double sum = 0;
  for (size_t i = 0; i < shares.size(); ++i)
    if (shares[i] != levels[i])  // else nothing, whatever rounding says
      sum += term(shares[i], levels[i]) + term(1 - shares[i], 1 - levels[i]);
  return 2 * n * std::max(0.0, sum);
}

double falling_statistic(std::span<const double> shares, double n) {
  const std::vector<double> equal(shares.size(), 1);
  return twice_loss(shares, levels_of(falling_blocks(shares, equal)), n);
}

/// Accuracies of the resamples; [draws, points].
class Draws {
 public:
  Draws(const Answers& answers, int64_t draws, uint64_t seed)
      : points_(static_cast<size_t>(answers.points)),
        questions_(static_cast<double>(answers.questions())),
        counts_(resample_right(answers, draws, seed)) {}

  size_t size() const { return counts_.size() / points_; }
  double share(size_t draw, size_t point) const {
    return static_cast<double>(counts_[draw * points_ + point]) / questions_;
  }
  double mean_share(size_t draw, size_t begin, size_t end) const {
    double sum = 0;
    for (size_t p = begin; p < end; ++p) sum += share(draw, p);
    return sum / static_cast<double>(end - begin);
  }
  /// Standard error of the drop from [begin, middle) to [middle, end).
  double drop_error(size_t begin, size_t middle, size_t end) const {
    std::vector<double> drops(size());
    for (size_t d = 0; d < drops.size(); ++d)
      drops[d] = mean_share(d, begin, middle) - mean_share(d, middle, end);
    return std::sqrt(variance(drops));
  }

 private:
  size_t points_;
  double questions_;
  std::vector<int64_t> counts_;
};

/// Drops between neighbouring blocks in their standard errors.
std::vector<double> standard_drops(const std::vector<Block>& blocks, const Draws& draws) {
  std::vector<double> drops;
  size_t begin = 0;
  for (size_t i = 0; i + 1 < blocks.size(); begin += blocks[i].points, ++i) {
    const size_t middle = begin + blocks[i].points;
    const double error = draws.drop_error(begin, middle, middle + blocks[i + 1].points);
    const double drop = blocks[i].level - blocks[i + 1].level;
    drops.push_back(error > 0 ? drop / error : std::numeric_limits<double>::infinity());
  }
  return drops;
}

/// The null's levels: the least clear drop is levelled until all are clear.
std::vector<double> null_levels(std::vector<Block> blocks, const Draws& draws, double clear) {
  while (blocks.size() > 1) {
    const std::vector<double> drops = standard_drops(blocks, draws);
    const auto least = std::min_element(drops.begin(), drops.end());
    if (*least >= clear) break;
    const auto at = blocks.begin() + (least - drops.begin());
    *at = joined(*at, *(at + 1));
    blocks.erase(at + 1);
  }
  return levels_of(blocks);
}

}  // namespace

std::vector<double> isotonic_falling(std::span<const double> values,
                                     std::span<const double> weights) {
  if (values.size() != weights.size())
    throw Error(ErrorKind::kInvariant,
                text("an isotonic fit got ", values.size(), " values and ", weights.size(),
                     " weights; needed are as many of each"));
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]) || !(weights[i] > 0) || !std::isfinite(weights[i]))
      throw Error(ErrorKind::kInvariant,
                  text("point ", i, " of an isotonic fit is ", values[i], " with weight ",
                       weights[i], "; needed are finite numbers, the weight above 0"));
  return levels_of(falling_blocks(values, weights));
}

MonotoneTest falling_test(const Answers& answers, int64_t draw_count, uint64_t seed) {
  const std::vector<int64_t> right = count_right(answers);
  if (right.size() < 2)
    throw Error(ErrorKind::kInvariant, "a test of monotony of one point; needed are at least 2");
  const auto n = static_cast<double>(answers.questions());
  std::vector<double> shares, equal(right.size(), 1);
  for (const int64_t count : right) shares.push_back(static_cast<double>(count) / n);

  MonotoneTest test;
  const std::vector<Block> blocks = falling_blocks(shares, equal);
  test.fit = levels_of(blocks);
  test.statistic = twice_loss(shares, test.fit, n);
  const Draws draws(answers, draw_count, seed);
  if (test.statistic == 0) return test;  // no draw is below it

  const std::vector<double> null = null_levels(blocks, draws, std::sqrt(std::log(n)));
  std::vector<double> moved(shares.size());
  int64_t as_large = 0;
  for (size_t d = 0; d < draws.size(); ++d) {
    for (size_t p = 0; p < moved.size(); ++p)
      moved[p] = std::clamp(draws.share(d, p) - shares[p] + null[p], 0.0, 1.0);
    as_large += falling_statistic(moved, n) >= test.statistic;
  }
  test.p = static_cast<double>(as_large + 1) / static_cast<double>(draw_count + 1);
  return test;
}

}  // namespace plumb
