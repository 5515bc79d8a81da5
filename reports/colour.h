#pragma once

#include <array>
#include <string>

namespace plumb::reports {

/// sRGB, each channel in [0, 1].
using Rgb = std::array<double, 3>;
/// Lightness and the two opponent axes of OKLab (Ottosson 2020, "A perceptual color space for image
/// processing").
using Lab = std::array<double, 3>;

Rgb rgb_of_oklab(const Lab& lab);
Lab oklab_of_rgb(const Rgb& rgb);

/// The heat map's colours, for t in [0, 1]: pale straw at 0 over green and teal to a deep blue
/// at 1.
///
/// Equal steps of t are equal distances in OKLab, and lightness falls all the way, so that the
/// order also reads without any sense of hue: for colour-blind readers and on a grey printer. Held
/// to this by colour_test.cpp.
Rgb heat_colour(double t);

/// "#rrggbb".
std::string hex(const Rgb& rgb);

}  // namespace plumb::reports
