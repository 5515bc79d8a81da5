#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plumb::reports {

/// Maps [low, high] to [from, to] in SVG user units; `from` may be the larger one, as SVG's y runs
/// downwards.
struct Scale {
  double low = 0, high = 1;
  double from = 0, to = 1;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

struct AxisOptions {
  int about = 6;          ///< how many ticks would be nice
  bool integers = false;  ///< steps of whole numbers only
  bool per_cent = false;  ///< values are fractions, labels per cent
};

struct Axis {
  double step = 1;
  std::vector<double> ticks;        ///< multiples of `step` in [low, high]
  std::vector<std::string> labels;  ///< as many decimals as the step needs, U+2212 for minus
};

/// Ticks at 1, 2, 2.5 or 5 times a power of ten, as near to `about` as can be. Needs low < high,
/// both finite.
Axis axis(double low, double high, const AxisOptions& options = {});

/// A number for people: whole numbers in full, others with `digits` significant digits, thousands
/// set apart by thin spaces, U+2212 for minus, powers of ten where plain digits would mislead
/// (1.2e-7 is "1.2 × 10^-7" in superscripts).
std::string readable(double value, int digits = 4);

/// A coordinate: at most two decimals, no trailing zeros, never "-0".
std::string px(double value);

/// A width in user units that text of this size will hardly exceed in any sans-serif face.
double text_width(std::string_view text, double font_size);

}  // namespace plumb::reports
