#include "reports/axis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "reports/escape.h"

namespace plumb::reports {
namespace {

constexpr std::string_view kMinus = "\xE2\x88\x92";
constexpr std::string_view kThinSpace = "\xE2\x80\xAF";  // narrow and unbreakable

std::string plain(double value, int decimals) {
  char buffer[400];
  const int length = std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return std::string(buffer, static_cast<size_t>(length));
}

/// Sets thousands apart from five digits on, and turns the sign into a minus.
std::string typeset(std::string digits) {
  const bool negative = !digits.empty() && digits.front() == '-';
  if (negative) digits.erase(0, 1);
  const size_t whole = std::min(digits.find('.'), digits.size());
  if (whole >= 5)
    for (size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, kThinSpace);
  const bool zero = digits.find_first_not_of("0.") == std::string::npos;
  return (negative && !zero ? std::string(kMinus) : std::string()) + digits;
}

std::string superscript(int exponent) {
  static constexpr std::string_view kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = exponent < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(exponent))) out += kDigits[c - '0'];
  return out;
}

void trim_zeros(std::string& digits) {
  if (digits.find('.') == std::string::npos) return;
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
}

double nice_step(double span, const AxisOptions& options) {
  const double wanted = span / std::max(1, options.about);
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  double best = power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0, 10.0})
    if (std::abs(std::log(factor * power / wanted)) < std::abs(std::log(best / wanted)))
      best = factor * power;
  if (!options.integers) return best;
  if (best < 1) return 1;
  return best == std::floor(best) ? best : 2 * best;  // 2.5 is no count
}

/// Decimals that a step of 1, 2, 2.5 or 5 times a power of ten needs.
int decimals_of(double step) {
  const auto power = static_cast<int>(std::floor(std::log10(step) + 1e-9));
  const double mantissa = step / std::pow(10.0, power);
  return std::max(0, -power + (std::abs(mantissa - 2.5) < 1e-6 ? 1 : 0));
}

/// All labels alike: plain digits where those are few, else times one power of ten.
std::vector<std::string> tick_labels(const Axis& axis, bool per_cent) {
  constexpr int kMostDecimals = 6;
  constexpr double kLargestPlain = 1e9;
  const double unit = per_cent ? 100 : 1;
  double largest = 0;
  for (const double tick : axis.ticks) largest = std::max(largest, std::abs(unit * tick));
  int power = 0;
  if (decimals_of(unit * axis.step) > kMostDecimals || largest >= kLargestPlain)
    power = static_cast<int>(std::floor(std::log10(largest > 0 ? largest : unit * axis.step)));
  const double scale = std::pow(10.0, power);
  const int decimals = decimals_of(unit * axis.step / scale);
  std::vector<std::string> labels;
  for (const double tick : axis.ticks) {
    // Multiples of the step near zero may be a rounding off it.
    const bool zero = std::abs(tick) < 1e-6 * axis.step;
    std::string label = typeset(plain(zero ? 0 : unit * tick / scale, decimals));
    if (power != 0) label = zero ? "0" : label + " × 10" + superscript(power);
    labels.push_back(per_cent ? label.append(kThinSpace).append("%") : std::move(label));
  }
  return labels;
}

}  // namespace

Axis axis(double low, double high, const AxisOptions& options) {
  if (!(low < high) || !std::isfinite(high - low))
    throw Error(ErrorKind::kInvariant, text("an axis needs low < high, not ", low, " and ", high));
  Axis out;
  out.step = nice_step(high - low, options);
  const double slack = 1e-9 * (high - low);
  for (double k = std::ceil((low - slack) / out.step); k * out.step <= high + slack; ++k)
    out.ticks.push_back(k * out.step);
  out.labels = tick_labels(out, options.per_cent);
  return out;
}

std::string readable(double value, int digits) {
  if (!std::isfinite(value)) return std::isnan(value) ? "not a number" : "infinite";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size == std::floor(size) && size < 1e15) return typeset(plain(value, 0));
  if (size < 1e-4 || size >= 1e15) {
    const int exponent = static_cast<int>(std::floor(std::log10(size)));
    std::string mantissa = plain(value / std::pow(10.0, exponent), std::max(0, digits - 1));
    trim_zeros(mantissa);
    return typeset(mantissa) + " × 10" + superscript(exponent);
  }
  const int before = static_cast<int>(std::floor(std::log10(size))) + 1;
  return typeset(plain(value, std::max(0, digits - before)));
}

std::string px(double value) {
  std::string digits = plain(value, 2);
  trim_zeros(digits);
  return digits == "-0" ? "0" : digits;
}

double text_width(std::string_view text, double font_size) {
  return 0.56 * font_size * static_cast<double>(code_points(text));
}

}  // namespace plumb::reports
