#include "metrics/similarity/angular_distance.h"

#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace plumb::metrics {
namespace {

// Sums run in this many lanes, so that they vectorise without leave to reorder.
constexpr size_t kLanes = 4;

void require_same_width(size_t a, size_t b) {
  if (a != b || a == 0)
    throw Error(ErrorKind::kInvariant, text("the angle of states of widths ", a, " and ", b,
                                            " was asked for; needed is one width of at least 1"));
}

}  // namespace

std::vector<double> unit_vector(std::span<const float> x) {
  require_same_width(x.size(), x.size());
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  if (!std::isfinite(squares) || squares == 0)
    throw Error(ErrorKind::kInput,
                text("the hidden state ", squares == 0 ? "is zero" : "is not finite",
                     ", so it has no direction; a finite state other than zero is needed"));
  const double norm = std::sqrt(squares);
  std::vector<double> unit(x.begin(), x.end());
  for (double& value : unit) value /= norm;
  return unit;
}

double angle_between_units(std::span<const double> u, std::span<const double> v) {
  require_same_width(u.size(), v.size());
  std::array<double, kLanes> apart{}, along{};
  const auto add = [&](size_t lane, size_t i) {
    apart[lane] += (u[i] - v[i]) * (u[i] - v[i]);
    along[lane] += (u[i] + v[i]) * (u[i] + v[i]);
  };
  size_t i = 0;
  for (; i + kLanes <= u.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) add(lane, i + lane);
  for (; i < u.size(); ++i) add(0, i);
  const double difference = std::sqrt((apart[0] + apart[1]) + (apart[2] + apart[3]));
  const double sum = std::sqrt((along[0] + along[1]) + (along[2] + along[3]));
  return 2 * std::atan2(difference, sum) / std::numbers::pi;
}

double angular_distance(std::span<const float> x, std::span<const float> y) {
  require_same_width(x.size(), y.size());
  return angle_between_units(unit_vector(x), unit_vector(y));
}

}  // namespace plumb::metrics
