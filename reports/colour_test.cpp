#include "reports/colour.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <regex>

#include "base/error.h"
#include "reports/style.h"

namespace plumb::reports {
namespace {

double luminance(const Rgb& rgb) {  // WCAG 2.2
  const auto linear = [](double c) {
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
}

double contrast(const Rgb& a, const Rgb& b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

Rgb parse_hex(const std::string& digits) {
  Rgb rgb{};
  for (size_t i = 0; i < 3; ++i) rgb[i] = std::stoi(digits.substr(2 * i, 2), nullptr, 16) / 255.0;
  return rgb;
}

using Theme = std::map<std::string, Rgb>;

// The first block of custom properties is the light theme, the second overrides it.
Theme theme(bool dark) {
  const std::string& sheet = style_sheet();
  const size_t begin = sheet.find(":root{", dark ? sheet.find("prefers-color-scheme:dark") : 0);
  const std::string block = sheet.substr(begin, sheet.find('}', begin) - begin);
  Theme colours = dark ? theme(false) : Theme();
  const std::regex property("--([a-z0-9-]+):#([0-9a-f]{6})");
  for (auto at = std::sregex_iterator(block.begin(), block.end(), property);
       at != std::sregex_iterator(); ++at)
    colours[(*at)[1]] = parse_hex((*at)[2]);
  return colours;
}

Rgb mixed(const Rgb& over, const Rgb& under, double opacity) {
  Rgb out{};
  for (size_t i = 0; i < 3; ++i) out[i] = opacity * over[i] + (1 - opacity) * under[i];
  return out;
}

class Themes : public ::testing::TestWithParam<bool> {};

TEST_P(Themes, TextStandsOutBy4Point5To1) {
  const Theme colours = theme(GetParam());
  for (const char* name :
       {"ink", "soft", "link", "region-ink", "pass", "fail", "unsure", "quiet", "odd"})
    EXPECT_GE(contrast(colours.at(name), colours.at("paper")), 4.5) << name;
}

TEST_P(Themes, LinesAndMarksStandOutBy3To1AlsoOnAShadedRegion) {
  const Theme colours = theme(GetParam());
  const Rgb paper = colours.at("paper");
  const Rgb region = mixed(colours.at("region"), paper, 0.11);
  for (int i = 0; i < 8; ++i) {
    const Rgb series = colours.at(text("s", i));
    EXPECT_GE(contrast(series, paper), 3) << i;
    EXPECT_GE(contrast(series, region), 3) << i << " on the region";
    EXPECT_GE(contrast(series, mixed(series, paper, 0.16)), 3) << i << " on its own interval";
  }
  EXPECT_GE(contrast(colours.at("soft"), region), 3);
}

TEST_P(Themes, SeriesAreToldApartByColour) {
  const Theme colours = theme(GetParam());
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < i; ++j) {
      const Lab a = oklab_of_rgb(colours.at(text("s", i)));
      const Lab b = oklab_of_rgb(colours.at(text("s", j)));
      // 0.02 in OKLab is about a just noticeable difference; marks are small.
      EXPECT_GE(std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]), 0.06) << i << " and " << j;
    }
}
INSTANTIATE_TEST_SUITE_P(Light, Themes, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Dark, Themes, ::testing::Values(true));

TEST(HeatColour, FallsInLightnessByEvenSteps) {
  constexpr int kSteps = 200;
  double first = 0;
  for (int i = 1; i <= kSteps; ++i) {
    const Lab a = oklab_of_rgb(heat_colour((i - 1.0) / kSteps));
    const Lab b = oklab_of_rgb(heat_colour(static_cast<double>(i) / kSteps));
    EXPECT_LT(b[0], a[0]) << i;
    const double step = std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    if (i == 1) first = step;
    EXPECT_NEAR(step, first, 0.02 * first) << i;  // 1024 pieces under 200 steps: 5 each
  }
}

TEST(HeatColour, StaysWithinWhatAScreenShows) {
  for (int i = 0; i <= 1000; ++i)
    for (const double channel : heat_colour(i / 1000.0)) {
      EXPECT_GE(channel, -1e-9) << i;
      EXPECT_LE(channel, 1 + 1e-9) << i;
    }
  EXPECT_EQ(heat_colour(-3), heat_colour(0));
  EXPECT_EQ(heat_colour(7), heat_colour(1));
}

TEST(HeatColour, MarkStandsOutOnEveryCell) {  // white with a black edge: one of them by 3:1
  for (int i = 0; i <= 100; ++i) {
    const Rgb cell = heat_colour(i / 100.0);
    EXPECT_GE(std::max(contrast({1, 1, 1}, cell), contrast({0.067, 0.067, 0.067}, cell)), 3) << i;
  }
}

TEST(Oklab, GoesThereAndBack) {
  for (const double r : {0.0, 0.2, 1.0})
    for (const double g : {0.0, 0.5, 1.0})
      for (const double b : {0.0, 0.7, 1.0}) {
        const Rgb back = rgb_of_oklab(oklab_of_rgb({r, g, b}));
        // The two published matrices are inverse to each other to about 1e-7 before the encoding,
        // whose slope at black is 12.92.
        EXPECT_NEAR(back[0], r, 1e-5);
        EXPECT_NEAR(back[1], g, 1e-5);
        EXPECT_NEAR(back[2], b, 1e-5);
      }
}

TEST(Oklab,
     EqualsThePublishedValues) {  // Ottosson's: white is (1, 0, 0); red as CSS Color 4 has it
  const Lab white = oklab_of_rgb({1, 1, 1}), red = oklab_of_rgb({1, 0, 0});
  EXPECT_NEAR(white[0], 1, 1e-6);
  EXPECT_NEAR(white[1], 0, 1e-6);
  EXPECT_NEAR(red[0], 0.62796, 1e-4);
  EXPECT_NEAR(red[1], 0.22486, 1e-4);
  EXPECT_NEAR(red[2], 0.12585, 1e-4);
}

TEST(StyleSheet, LoadsNothingAndCanStandInXml) {
  for (const char* forbidden : {"url(", "@import", "<", "&", "http", "expression"})
    EXPECT_EQ(style_sheet().find(forbidden), std::string::npos) << forbidden;
}

TEST(Base64, EqualsRfc4648) {
  EXPECT_EQ(base64_of_hex(""), "");
  EXPECT_EQ(base64_of_hex("66"), "Zg==");
  EXPECT_EQ(base64_of_hex("666f"), "Zm8=");
  EXPECT_EQ(base64_of_hex("666f6f"), "Zm9v");
  EXPECT_EQ(base64_of_hex("666f6f626172"), "Zm9vYmFy");
  EXPECT_THROW(base64_of_hex("6"), Error);
  EXPECT_THROW(base64_of_hex("6G"), Error);
}

}  // namespace
}  // namespace plumb::reports
