#include "base/statistics/multiplicity.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/error.h"

namespace plumb {
namespace {

/// Places of the p-values from the least to the greatest.
std::vector<size_t> ascending(std::span<const double> p_values) {
  for (const double p : p_values)
    if (!(p >= 0 && p <= 1))
      throw Error(ErrorKind::kInvariant, text("a p-value is ", p, "; needed is a share in [0, 1]"));
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  return order;
}

/// From the greatest p-value down: each times factor * m / rank, never above the next greater one.
std::vector<double> step_up(std::span<const double> p_values, double factor) {
  const std::vector<size_t> order = ascending(p_values);
  std::vector<double> adjusted(p_values.size());
  const auto m = static_cast<double>(order.size());
  double running = 1;
  for (size_t rank = order.size(); rank-- > 0;) {
    const double p = p_values[order[rank]];
    running = std::min(running, factor * m / static_cast<double>(rank + 1) * p);
    adjusted[order[rank]] = std::max(running, p);
  }
  return adjusted;
}

}  // namespace

std::vector<double> holm(std::span<const double> p_values) {
  const std::vector<size_t> order = ascending(p_values);
  std::vector<double> adjusted(p_values.size());
  double running = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const auto remaining = static_cast<double>(order.size() - rank);
    running = std::max(running, std::min(1.0, remaining * p_values[order[rank]]));
    adjusted[order[rank]] = running;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  return step_up(p_values, 1);
}

std::vector<double> benjamini_yekutieli(std::span<const double> p_values) {
  double harmonic = 0;
  for (size_t i = 1; i <= p_values.size(); ++i) harmonic += 1 / static_cast<double>(i);
  return step_up(p_values, harmonic);
}

}  // namespace plumb
