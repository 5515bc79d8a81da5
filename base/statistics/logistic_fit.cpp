#include "base/statistics/logistic_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/statistics/curve_fit.h"

namespace plumb {
namespace {

constexpr int kCentresAGap = 4;
constexpr double kWidthRatio = 1.4;  ///< of neighbouring widths of the grid

double falling(double x, double centre, double width) {
  return 1 / (1 + std::exp((x - centre) / width));
}

/// Weighted sums of the shape g and of y.
struct Moments {
  double w = 0, g = 0, gg = 0, y = 0, gy = 0, yy = 0;
};

struct Levels {
  double lower = 0, drop = 0;
  double squares(const Moments& m) const {
    return m.yy - 2 * (lower * m.y + drop * m.gy) + lower * lower * m.w + 2 * lower * drop * m.g +
           drop * drop * m.gg;
  }
};

/// Best drop for a given lower level.
Levels above(double lower, double most, const Moments& m) {
  return {lower, std::clamp((m.gy - lower * m.g) / m.gg, 0.0, most - lower)};
}

/// Best drop for a given upper level: of 1 - g.
Levels below(double upper, double least, const Moments& m) {
  const double squares = m.w - 2 * m.g + m.gg;
  const double product = upper * (m.w - m.g) - (m.y - m.gy);
  const double drop = squares > 0 ? std::clamp(product / squares, 0.0, upper - least) : 0;
  return {upper - drop, drop};
}

/// Levels with the least squares within the bounds: where the free ones lie outside, the best on
/// one of the three edges of what is allowed.
Levels best_levels(const Moments& m, const LogisticBounds& bounds) {
  if (bounds.floor) return above(*bounds.floor, bounds.most, m);
  const double determinant = m.w * m.gg - m.g * m.g;
  if (determinant > 1e-12 * m.w * m.gg) {
    const double drop = (m.w * m.gy - m.g * m.y) / determinant;
    const double lower = (m.y - drop * m.g) / m.w;
    if (drop >= 0 && lower >= bounds.least && lower + drop <= bounds.most) return {lower, drop};
  }
  Levels best{std::clamp(m.y / m.w, bounds.least, bounds.most), 0};
  const auto consider = [&](const Levels& levels) {
    if (levels.squares(m) < best.squares(m)) best = levels;
  };
  if (std::isfinite(bounds.least)) consider(above(bounds.least, bounds.most, m));
  if (std::isfinite(bounds.most)) consider(below(bounds.most, bounds.least, m));
  return best;
}

/// Nelder and Mead's simplex in two dimensions, until its values differ by rounding alone.
template <typename Function>
std::array<double, 2> minimum(const Function& f, std::array<double, 2> start,
                              std::array<double, 2> step) {
  struct Corner {
    std::array<double, 2> at;
    double value;
  };
  const auto corner = [&](double a, double b) { return Corner{{a, b}, f(a, b)}; };
  std::array<Corner, 3> s = {corner(start[0], start[1]), corner(start[0] + step[0], start[1]),
                             corner(start[0], start[1] + step[1])};
  const auto along = [&](const Corner& worst, double far) {  // from the better two's middle
    const double a = (s[0].at[0] + s[1].at[0]) / 2, b = (s[0].at[1] + s[1].at[1]) / 2;
    return corner(a + far * (worst.at[0] - a), b + far * (worst.at[1] - b));
  };
  for (int step_count = 0; step_count < 400; ++step_count) {
    std::sort(s.begin(), s.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
    const double size =
        std::abs(s[2].at[0] - s[0].at[0]) / step[0] + std::abs(s[2].at[1] - s[0].at[1]) / step[1];
    if (size < 1e-9) break;
    const Corner mirrored = along(s[2], -1);
    if (mirrored.value < s[0].value) {
      const Corner farther = along(s[2], -2);
      s[2] = farther.value < mirrored.value ? farther : mirrored;
    } else if (mirrored.value < s[1].value) {
      s[2] = mirrored;
    } else {
      const Corner nearer = along(s[2], mirrored.value < s[2].value ? -0.5 : 0.5);
      if (nearer.value < std::min(mirrored.value, s[2].value)) {
        s[2] = nearer;
      } else {
        for (size_t i : {1u, 2u})
          s[i] = corner((s[0].at[0] + s[i].at[0]) / 2, (s[0].at[1] + s[i].at[1]) / 2);
      }
    }
  }
  return s[0].at;
}

}  // namespace

double LogisticFit::at(double x) const {
  return lower + (upper - lower) * falling(x, centre, width);
}

LogisticFitter::LogisticFitter(std::span<const double> x, std::span<const double> weights,
                               const LogisticBounds& bounds)
    : x_(x.begin(), x.end()), weights_(weights.begin(), weights.end()), bounds_(bounds) {
  require_points({x, x, weights});
  if (!(bounds.floor.value_or(bounds.least) <= bounds.most))
    throw Error(ErrorKind::kInvariant, text("a curve between ", bounds.floor.value_or(bounds.least),
                                            " and ", bounds.most, "; needed is the lower first"));
  weights_.resize(x.size(), 1);
  double gap = x_[1] - x_[0];
  for (size_t i = 1; i < x_.size(); ++i) gap = std::min(gap, x_[i] - x_[i - 1]);
  least_log_width_ = std::log(gap / 8);
  most_log_width_ = std::log(2 * (x_.back() - x_.front()));
  for (size_t i = 0; i + 1 < x_.size(); ++i)
    for (int part = 0; part < kCentresAGap; ++part)
      for (double w = least_log_width_; w < most_log_width_; w += std::log(kWidthRatio)) {
        centres_.push_back(x_[i] + (x_[i + 1] - x_[i]) * (part + 0.5) / kCentresAGap);
        log_widths_.push_back(w);
      }
  const size_t cells = centres_.size();
  sums_.assign(cells, 0);
  squares_.assign(cells, 0);
  shapes_.resize(x_.size() * cells);
  for (size_t i = 0; i < x_.size(); ++i)
    for (size_t c = 0; c < cells; ++c) {
      const double g = falling(x_[i], centres_[c], std::exp(log_widths_[c]));
      shapes_[i * cells + c] = weights_[i] * g;
      sums_[c] += weights_[i] * g;
      squares_[c] += weights_[i] * g * g;
    }
}

size_t LogisticFitter::best_cell(std::span<const double> y) const {
  const size_t cells = centres_.size();
  std::vector<double> products(cells, 0);
  Moments m;
  for (size_t i = 0; i < x_.size(); ++i) {
    const double* const shape = shapes_.data() + i * cells;
    for (size_t c = 0; c < cells; ++c) products[c] += y[i] * shape[c];
    m.w += weights_[i];
    m.y += weights_[i] * y[i];
    m.yy += weights_[i] * y[i] * y[i];
  }
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < cells; ++c) {
    m.g = sums_[c];
    m.gg = squares_[c];
    m.gy = products[c];
    const double squares = best_levels(m, bounds_).squares(m);
    if (squares < least) {
      least = squares;
      best = c;
    }
  }
  return best;
}

LogisticFit LogisticFitter::at(double centre, double log_width, std::span<const double> y) const {
  LogisticFit fit;
  fit.centre = std::clamp(centre, x_.front(), x_.back());
  fit.width = std::exp(std::clamp(log_width, least_log_width_, most_log_width_));
  Moments m;
  for (size_t i = 0; i < x_.size(); ++i) {
    const double w = weights_[i], g = falling(x_[i], fit.centre, fit.width);
    m.w += w;
    m.g += w * g;
    m.gg += w * g * g;
    m.y += w * y[i];
    m.gy += w * g * y[i];
    m.yy += w * y[i] * y[i];
  }
  const Levels levels = best_levels(m, bounds_);
  fit.lower = levels.lower;
  fit.upper = levels.lower + levels.drop;
  // From the residuals: the sums above cancel to a few digits near the best fit.
  for (size_t i = 0; i < x_.size(); ++i) {
    const double residual = y[i] - fit.at(x_[i]);
    fit.squares += weights_[i] * residual * residual;
  }
  return fit;
}

LogisticFit LogisticFitter::fit(std::span<const double> y) const {
  require_points({x_, y, weights_});
  const size_t cell = best_cell(y);
  const std::array<double, 2> start = {centres_[cell], log_widths_[cell]};
  const std::array<double, 2> step = {
      (x_.back() - x_.front()) / static_cast<double>(kCentresAGap * (x_.size() - 1)),
      std::log(kWidthRatio)};
  const auto best = minimum([&](double c, double w) { return at(c, w, y).squares; }, start, step);
  return at(best[0], best[1], y);
}

}  // namespace plumb
