#include "base/statistics/clusters.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {

ClusteredMean clustered_mean(std::span<const double> values, std::span<const int64_t> cluster) {
  if (values.size() != cluster.size())
    throw Error(ErrorKind::kInvariant, text("a clustered mean got ", values.size(), " values and ",
                                            cluster.size(), " clusters; needed is one of each"));
  ClusteredMean out;
  out.mean = mean(values);  // refuses none and what is not finite
  struct Sum {
    double deviations = 0, members = 0;
  };
  std::map<int64_t, Sum> sums;
  for (size_t i = 0; i < values.size(); ++i) {
    Sum& sum = sums[cluster[i]];
    sum.deviations += values[i] - out.mean;
    sum.members += 1;
  }
  if (sums.size() < 2)
    throw Error(ErrorKind::kInvariant, "a clustered mean of one cluster; needed are at least 2");
  double squares = 0, members_squared = 0;
  for (const auto& [name, sum] : sums) {
    squares += sum.deviations * sum.deviations;
    members_squared += sum.members * sum.members;
  }
  out.clusters = static_cast<int64_t>(sums.size());
  const auto n = static_cast<double>(values.size());
  const auto c = static_cast<double>(out.clusters);
  out.standard_error = std::sqrt(squares * c / (c - 1)) / n;
  out.degrees_of_freedom = std::max(1.0, n * n / members_squared - 1);
  return out;
}

}  // namespace plumb
