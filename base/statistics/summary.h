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

/// Of Student's t with `degrees` > 0 degrees of freedom, infinitely many being the normal.
double t_quantile(double p, double degrees);
double t_cdf(double t, double degrees);

}  // namespace plumb
