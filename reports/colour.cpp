#include "reports/colour.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace plumb::reports {
namespace {

double to_linear(double channel) {
  return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}

double to_encoded(double channel) {
  return channel <= 0.0031308 ? 12.92 * channel : 1.055 * std::pow(channel, 1 / 2.4) - 0.055;
}

/// The path in lightness, chroma and hue before its parameter is made even.
Lab path(double s) {
  const double lightness = 0.965 - 0.665 * s;
  const double chroma = 0.082 + 0.033 * s - 0.035 * std::sin(std::numbers::pi * s);
  const double hue = (105 + 164 * s) * std::numbers::pi / 180;
  return {lightness, chroma * std::cos(hue), chroma * std::sin(hue)};
}

constexpr size_t kSteps = 1024;

/// Length of the path up to each of its steps, scaled to end at 1.
std::array<double, kSteps + 1> path_lengths() {
  std::array<double, kSteps + 1> lengths{};
  for (size_t i = 1; i <= kSteps; ++i) {
    const Lab a = path(static_cast<double>(i - 1) / kSteps),
              b = path(static_cast<double>(i) / kSteps);
    lengths[i] = lengths[i - 1] + std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
  }
  for (double& length : lengths) length /= lengths.back();
  return lengths;
}

}  // namespace

Rgb rgb_of_oklab(const Lab& lab) {
  const double l = std::pow(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2], 3);
  const double m = std::pow(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2], 3);
  const double s = std::pow(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2], 3);
  return {to_encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          to_encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          to_encoded(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

Lab oklab_of_rgb(const Rgb& rgb) {
  const double r = to_linear(rgb[0]), g = to_linear(rgb[1]), b = to_linear(rgb[2]);
  const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
          1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

Rgb heat_colour(double t) {
  static const auto lengths = path_lengths();
  t = std::clamp(t, 0.0, 1.0);
  const auto above = std::lower_bound(lengths.begin() + 1, lengths.end() - 1, t);
  const double low = *(above - 1), high = *above;
  const auto index = static_cast<double>(above - lengths.begin()) - 1;
  return rgb_of_oklab(path((index + (t - low) / (high - low)) / kSteps));
}

std::string hex(const Rgb& rgb) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "#";
  for (const double channel : rgb) {
    const auto byte = static_cast<uint8_t>(std::lround(255 * std::clamp(channel, 0.0, 1.0)));
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace plumb::reports
