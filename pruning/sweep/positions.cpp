#include "pruning/sweep/positions.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "pruning/sweep/sweep.h"

namespace plumb::pruning {

PositionMean position_mean(std::span<const float> losses, int64_t population) {
  const auto count = static_cast<int64_t>(losses.size());
  if (count < 1 || count > population || (count == 1 && population > 1))
    throw Error(ErrorKind::kInvariant, text("a mean over ", count, " of ", population,
                                            " positions has no variance; at least 2 are needed"));
  const auto P = static_cast<double>(count);
  PositionMean result;
  for (const float loss : losses) result.mean += static_cast<double>(loss);
  result.mean /= P;
  if (count == population) return result;
  double squares = 0;
  for (const float loss : losses) {
    const double deviation = static_cast<double>(loss) - result.mean;
    squares += deviation * deviation;
  }
  result.variance = squares / (P - 1) / P * (1 - P / static_cast<double>(population));
  return result;
}

std::vector<int64_t> sampled_positions(int64_t token_count, int64_t count, uint64_t seed,
                                       int64_t ordinal) {
  if (token_count < 2 || count < 0)
    throw Error(ErrorKind::kUsage, text(count, " positions of a document of ", token_count,
                                        " tokens were asked for; at least 2 tokens and 0 positions "
                                        "(all of them) are needed"));
  std::vector<int64_t> positions(static_cast<size_t>(token_count - 1));
  std::iota(positions.begin(), positions.end(), 1);
  const auto population = static_cast<int64_t>(positions.size());
  if (count == 0 || count >= population) return positions;
  Rng rng(seed, static_cast<uint64_t>(ordinal));
  for (int64_t i = 0; i < count; ++i) {  // the first steps of a Fisher-Yates shuffle
    const auto other = i + static_cast<int64_t>(rng.below(static_cast<uint64_t>(population - i)));
    std::swap(positions[static_cast<size_t>(i)], positions[static_cast<size_t>(other)]);
  }
  positions.resize(static_cast<size_t>(count));
  std::sort(positions.begin(), positions.end());
  return positions;
}

}  // namespace plumb::pruning
