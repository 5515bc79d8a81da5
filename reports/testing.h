#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "base/rng.h"
#include "reports/axis.h"
#include "reports/demonstration.h"
#include "reports/escape.h"
#include "reports/report.h"

/// Helpers of the reports' tests alone.
namespace plumb::reports::testing {

/// What a parser that is not ours makes of `xml`; fails the test where it is not well-formed.
inline void parse(const std::string& xml, pugi::xml_document& document) {
  const auto result = document.load_buffer(
      xml.data(), xml.size(), pugi::parse_full | pugi::parse_ws_pcdata, pugi::encoding_utf8);
  ASSERT_TRUE(result) << result.description() << " at byte " << result.offset << ": "
                      << xml.substr(
                             static_cast<size_t>(std::max<std::ptrdiff_t>(0, result.offset - 60)),
                             120);
}

/// All elements of this name, and of this class where one is given, in document order.
inline std::vector<pugi::xml_node> elements(const pugi::xml_node& root, const char* name,
                                            const char* css_class = nullptr) {
  std::vector<pugi::xml_node> found;
  struct Walker : pugi::xml_tree_walker {
    const char *name, *css_class;
    std::vector<pugi::xml_node>* found;
    bool for_each(pugi::xml_node& node) override {
      const std::string classes = " " + std::string(node.attribute("class").value()) + " ";
      if (std::strcmp(node.name(), name) == 0 &&
          (css_class == nullptr ||
           classes.find(" " + std::string(css_class) + " ") != std::string::npos))
        found->push_back(node);
      return true;
    }
  } walker;
  walker.name = name, walker.css_class = css_class, walker.found = &found;
  pugi::xml_node(root).traverse(walker);
  return found;
}

/// Where a text of a drawing stands, by the width that the layout reckons with.
struct TextBox {
  std::string text;
  double left = 0, top = 0, right = 0, bottom = 0;
  bool overlaps(const TextBox& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

inline std::vector<TextBox> text_boxes(const pugi::xml_node& svg) {
  constexpr double kFont = 12;  // the style sheet's size of every text in a drawing
  std::vector<TextBox> boxes;
  for (const pugi::xml_node& node : elements(svg, "text")) {
    TextBox box;
    box.text = node.child_value();
    const double x = node.attribute("x").as_double(), y = node.attribute("y").as_double();
    const double width = text_width(box.text, kFont);
    const std::string anchor = node.attribute("text-anchor").value();
    box.left = anchor == "end" ? x - width : anchor == "middle" ? x - width / 2 : x;
    box.right = box.left + width;
    box.top = y - 9, box.bottom = y + 2;  // cap height and a little of the descenders
    boxes.push_back(box);
  }
  return boxes;
}

/// No two texts on each other, none beyond the drawing's edge.
inline void expect_texts_apart(const pugi::xml_node& svg, const std::string& about) {
  double x = 0, y = 0, width = 0, height = 0;
  ASSERT_EQ(
      std::sscanf(svg.attribute("viewBox").value(), "%lf %lf %lf %lf", &x, &y, &width, &height), 4);
  const auto boxes = text_boxes(svg);
  EXPECT_FALSE(boxes.empty());
  for (size_t i = 0; i < boxes.size(); ++i) {
    const TextBox& box = boxes[i];
    EXPECT_TRUE(box.left >= -0.01 && box.right <= width + 0.01 && box.top >= -0.01 &&
                box.bottom <= height)
        << about << ": '" << box.text << "' runs from " << box.left << ", " << box.top << " to "
        << box.right << ", " << box.bottom << " of " << width << " x " << height;
    for (size_t j = 0; j < i; ++j)
      EXPECT_FALSE(box.overlaps(boxes[j]))
          << about << ": '" << boxes[j].text << "' and '" << box.text << "' collide";
  }
}

/// The demonstration with the enemy's name in every string.
Report hostile_report();

}  // namespace plumb::reports::testing
