#include <algorithm>

#include "base/error.h"
#include "reports/axis.h"
#include "reports/chart.h"
#include "reports/escape.h"
#include "reports/html_parts.h"

namespace plumb::reports {
namespace {

constexpr double kWidth = 640;
constexpr double kRow = 46;
constexpr double kTop = 12;
constexpr double kCellHeight = 18;
constexpr double kLongestLabel = 170;

void require_sound(const PlanFigure& figure) {
  if (figure.blocks < 1)
    throw Error(ErrorKind::kInvariant, text("figure '", figure.id, "' has no block"));
  for (const PlanRow& row : figure.rows)
    for (size_t i = 0; i < row.removed.size(); ++i)
      if (row.removed[i] < (i == 0 ? 0 : row.removed[i - 1] + 1) || row.removed[i] >= figure.blocks)
        throw Error(ErrorKind::kInvariant,
                    text("figure '", figure.id, "', plan '", row.label, "': block ", row.removed[i],
                         " is out of order or not among the ", figure.blocks));
}

/// The text as far as `width` has room for it.
std::string fitting(const std::string& words, double width) {
  std::string clean = clean_text(words), shown = clean;
  for (size_t most = code_points(clean); most > 1 && text_width(shown, 12) > width; --most)
    shown = shorten(clean, most - 1);
  return shown;
}

/// Where the state goes that enters the gap: an arc over it, which ends in an arrow.
void draw_arc(Markup& out, double from, double to, double top) {
  const double rise = std::min(13.0, 5 + (to - from) / 12);
  out.leaf("path", {{"class", "reconnection"},
                    {"d", text("M", px(from), " ", px(top), "C", px(from), " ", px(top - rise), " ",
                               px(to), " ", px(top - rise), " ", px(to), " ", px(top - 1))}});
  out.leaf("path", {{"class", "arrow"},
                    {"d", text("M", px(to - 3.5), " ", px(top - 6), "L", px(to), " ", px(top - 0.5),
                               "L", px(to + 3.5), " ", px(top - 6), "Z")}});
}

struct Canvas {
  const PlanFigure& figure;
  double left = 0, size = 0;
  double x(int block) const { return left + size * block; }
  double centre(int block) const { return x(block) + size / 2; }
};

void draw_row(Markup& out, const Canvas& canvas, const PlanRow& row, double top) {
  const int blocks = canvas.figure.blocks;
  out.open("g",
           {{"class", "plan"}, {"data-plan", row.label}, {"data-removed", ranges(row.removed)}});
  out.element("title", row.label + ": " + reconnection(row, blocks));
  label(out, canvas.left - 9, top + 13, "end", "plan-label", fitting(row.label, kLongestLabel));
  const double gap = canvas.size > 9 ? 2 : 1;
  for (int block = 0; block < blocks; ++block) {
    const bool gone = std::binary_search(row.removed.begin(), row.removed.end(), block);
    out.leaf("rect", {{"x", px(canvas.x(block) + gap / 2)},
                      {"y", px(top)},
                      {"width", px(canvas.size - gap)},
                      {"height", px(kCellHeight)},
                      {"class", gone ? "gone" : "kept"}});
  }
  for (size_t i = 0; i < row.removed.size();) {
    size_t end = i + 1;
    while (end < row.removed.size() && row.removed[end] == row.removed[end - 1] + 1) ++end;
    const int before = row.removed[i] - 1, after = row.removed[end - 1] + 1;
    draw_arc(out, before < 0 ? canvas.x(0) - 3 : canvas.centre(before),
             after < blocks ? canvas.centre(after) : canvas.x(blocks) + 3, top);
    i = end;
  }
  out.close().line();
}

void draw_key(Markup& out, double left, double top) {
  double x = left;
  const auto entry = [&](const char* css_class, const char* words) {
    out.leaf(
        "rect",
        {{"x", px(x)}, {"y", px(top)}, {"width", "13"}, {"height", "13"}, {"class", css_class}});
    label(out, x + 20, top + 11, "start", "tick", words);
    x += 20 + text_width(words, 12) + 24;
  };
  entry("kept", "stays");
  entry("gone", "is removed");
  draw_arc(out, x, x + 22, top + 12);
  label(out, x + 32, top + 11, "start", "tick", "the state passes over the gap");
}

}  // namespace

std::string ranges(const std::vector<int>& numbers) {
  std::string out;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    out += text(out.empty() ? "" : ";", numbers[i]);
    if (end - i > 1) out += text("-", numbers[end - 1]);
    i = end;
  }
  return out;
}

std::string reconnection(const PlanRow& row, int blocks) {
  if (row.removed.empty()) return text("all ", blocks, " blocks stay");
  std::string out = text(row.removed.size() == 1 ? "block " : "blocks ", ranges(row.removed),
                         row.removed.size() == 1 ? " is removed" : " are removed");
  for (size_t i = 0; i < row.removed.size();) {
    size_t end = i + 1;
    while (end < row.removed.size() && row.removed[end] == row.removed[end - 1] + 1) ++end;
    const int before = row.removed[i] - 1, after = row.removed[end - 1] + 1;
    out += before < 0 ? std::string("; the embedding") : text("; the output of block ", before);
    out += after < blocks ? text(" enters block ", after) : std::string(" goes to the final norm");
    i = end;
  }
  return out;
}

Drawing draw(const PlanFigure& figure, const std::string& id) {
  require_sound(figure);
  double widest = 0;
  for (const PlanRow& row : figure.rows)
    widest = std::max(widest, text_width(fitting(row.label, kLongestLabel), 12));
  Canvas canvas{.figure = figure, .left = widest + 16};
  canvas.size = (kWidth - canvas.left - 12) / figure.blocks;
  const double rows_top = kTop + 34;
  const double bottom = rows_top + kRow * static_cast<double>(figure.rows.size());
  Markup out;
  open_svg(out, id, kWidth, bottom + 28, figure.title,
           text(figure.blocks, " blocks in a row for each of ", figure.rows.size(),
                " plans; arrows lead over those that are removed. The plans are in the table below "
                "the figure."));
  draw_key(out, canvas.left, kTop);
  for (size_t i = 0; i < figure.rows.size(); ++i)
    draw_row(out, canvas, figure.rows[i], rows_top + 8 + kRow * static_cast<double>(i));
  const Axis axis_of_blocks =
      axis(0, std::max(1, figure.blocks - 1),
           {.about = std::clamp(static_cast<int>(figure.blocks * canvas.size / 55), 2, 10),
            .integers = true});
  out.open("g", {{"class", "axis"}});
  for (size_t i = 0; i < axis_of_blocks.ticks.size(); ++i) {
    const int block = static_cast<int>(axis_of_blocks.ticks[i]);
    if (block < figure.blocks)
      label(out, canvas.centre(block), bottom - 4, "middle", "tick", axis_of_blocks.labels[i]);
  }
  label(out, canvas.left, bottom + 17, "start", "axis-label",
        "block, from the embedding to the head");
  out.close().close();
  return {out.str(), {}};
}

}  // namespace plumb::reports
