#pragma once

#include <span>
#include <vector>

namespace plumb {

double mean(std::span<const double> samples);      ///< Error{kInvariant} for none
double variance(std::span<const double> samples);  ///< with n - 1; 0 for one sample
double median(std::span<const double> samples);
double percentile(std::span<const double> samples,
                  double p);  ///< sorted[ceil(p n) - 1], p in (0, 1]
double normal_quantile(double p);
double normal_cdf(double z);

/// Holm's step-down adjusted p-values, in the order given; each in [p, 1].
std::vector<double> holm(std::span<const double> p_values);

}  // namespace plumb
