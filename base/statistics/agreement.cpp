#include "base/statistics/agreement.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/summary.h"

namespace plumb {

Agreement agreement(std::span<const double> a, std::span<const double> b) {
  bool fits = !a.empty() && a.size() == b.size();
  for (size_t i = 0; fits && i < a.size(); ++i) fits = std::isfinite(a[i]) && std::isfinite(b[i]);
  if (!fits)
    throw Error(ErrorKind::kInvariant, text("agreement of ", a.size(), " and ", b.size(),
                                            " values; needed are as many finite ones of both"));
  const auto n = static_cast<double>(a.size());
  const double mean_a = mean(a), mean_b = mean(b);
  double squares = 0, s_aa = 0, s_bb = 0, s_ab = 0;
  Agreement out;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i];
    squares += difference * difference;
    out.largest = std::max(out.largest, std::abs(difference));
    s_aa += (a[i] - mean_a) * (a[i] - mean_a) / n;
    s_bb += (b[i] - mean_b) * (b[i] - mean_b) / n;
    s_ab += (a[i] - mean_a) * (b[i] - mean_b) / n;
  }
  out.rmse = std::sqrt(squares / n);
  const double apart = s_aa + s_bb + (mean_a - mean_b) * (mean_a - mean_b);
  out.concordance = apart > 0 ? 2 * s_ab / apart : 1;
  return out;
}

double interpolated(std::span<const double> xs, std::span<const double> ys, double x) {
  bool fits = !xs.empty() && xs.size() == ys.size() && x >= xs.front() && x <= xs.back();
  for (size_t i = 1; fits && i < xs.size(); ++i) fits = xs[i] > xs[i - 1];
  if (!fits)
    throw Error(ErrorKind::kInvariant, text("no value at ", x, " of a curve of ", xs.size(),
                                            " points: it lies outside, or they do not rise"));
  const auto after = std::lower_bound(xs.begin(), xs.end(), x);
  const auto i = static_cast<size_t>(after - xs.begin());
  if (*after == x) return ys[i];
  const double share = (x - xs[i - 1]) / (xs[i] - xs[i - 1]);
  return ys[i - 1] + share * (ys[i] - ys[i - 1]);
}

}  // namespace plumb
