#include "base/statistics/averages.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {
namespace {

/// Sum of squared deviations of `right` ones and the zeros that the rest are.
double squares_of(double right, double n) { return right * (n - right) / n; }

void require_group(const GroupCount& group) {
  if (group.questions < 1 || group.right < 0 || group.right > group.questions)
    throw Error(ErrorKind::kInvariant,
                text("a group with ", group.right, " right answers of ", group.questions,
                     " questions; needed are 0 to all of at least one"));
}

}  // namespace

Averages averages(std::span<const GroupCount> groups) {
  if (groups.empty()) throw Error(ErrorKind::kInvariant, "an average over no groups was asked for");
  double right = 0, n = 0, squares_within = 0, macro_variance = 0;
  bool all_spread = true;
  std::vector<double> shares;
  for (const GroupCount& group : groups) {
    require_group(group);
    const auto r = static_cast<double>(group.right), size = static_cast<double>(group.questions);
    right += r;
    n += size;
    squares_within += squares_of(r, size);
    shares.push_back(r / size);
    all_spread = all_spread && group.questions > 1;
    if (group.questions > 1) macro_variance += squares_of(r, size) / (size - 1) / size;
  }
  const auto k = static_cast<double>(groups.size());
  Averages out;
  out.micro = right / n;
  out.macro = mean(shares);
  if (n > 1) out.micro_error = std::sqrt(squares_of(right, n) / (n - 1) / n);
  if (n > k) out.pooled_error = std::sqrt(squares_within / (n - k) / n);
  if (all_spread) out.macro_error = std::sqrt(macro_variance) / k;
  if (k > 1) out.macro_error_over_groups = std::sqrt(variance(shares) / k);
  return out;
}

}  // namespace plumb
