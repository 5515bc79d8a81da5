#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "reports/chart.h"
#include "reports/escape.h"

namespace plumb::reports {
namespace {

constexpr double kFont = 12;
constexpr double kStripRow = 17;
constexpr double kLegendRow = 20;

struct Box {
  double left, top, right, bottom;
};

/// How much of the series' lines runs through `box`, sampled along each segment.
int crossings(const LineFigure& figure, const Scale& x, const Scale& y, const Box& box) {
  int count = 0;
  const auto inside = [&](double px_x, double px_y) {
    return px_x >= box.left && px_x <= box.right && px_y >= box.top && px_y <= box.bottom;
  };
  for (const Series& series : figure.series)
    for (size_t i = 0; i < series.points.size(); ++i) {
      const Point& a = series.points[i];
      const Point& b = series.points[std::min(i + 1, series.points.size() - 1)];
      for (int step = 0; step < 8; ++step) {
        const double t = step / 8.0;
        count += inside(x(a.x + t * (b.x - a.x)), y(a.y + t * (b.y - a.y)));
      }
    }
  return count;
}

struct Place {
  double left, baseline;
};

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/// Where a label of `width` stands best on the line at height `level`: on no other label, then on
/// as little of the curves as can be; at the right end before the left before between, above the
/// line before below. Adds the place to `taken`.
Place best_place(const LineFigure& figure, const Plot& plot, const Scale& x, const Scale& y,
                 double level, double width, std::vector<Box>& taken) {
  constexpr int kLabelOnLabel = 10000;
  const double first = plot.left + 6, last = std::max(first, plot.right - 4 - width);
  Place best{last, level - 5};
  Box best_box{last - 4, level - 5 - kFont, last + width + 4, level - 1};
  int least = -1;
  for (const double share : {1.0, 0.0, 0.5, 0.75, 0.25, 0.875, 0.125, 0.625, 0.375})
    for (const double below :
         {-5.0, 14.0, -5 - kStripRow, 14 + kStripRow, -5 - 2 * kStripRow, 14 + 2 * kStripRow}) {
      const double left = first + share * (last - first), baseline = level + below;
      const Box box{left - 4, baseline - kFont - 1, left + width + 4, baseline + 4};
      if (box.top < plot.top || box.bottom > plot.bottom) continue;
      int cost = crossings(figure, x, y, box);
      if (below < -5 || below > 14)
        cost += kLabelOnLabel / 10;  // away from its line: a last resort
      for (const Box& other : taken) cost += overlap(box, other) ? kLabelOnLabel : 0;
      if (least >= 0 && cost >= least) continue;
      least = cost;
      best = {left, baseline};
      best_box = box;
    }
  taken.push_back(best_box);
  return best;
}

}  // namespace

void label(Markup& out, double x, double y, const std::string& anchor, const std::string& css_class,
           const std::string& text) {
  out.element("text", {{"x", px(x)}, {"y", px(y)}, {"text-anchor", anchor}, {"class", css_class}},
              text);
}

void rule(Markup& out, double x1, double y1, double x2, double y2, const std::string& css_class) {
  out.leaf("line",
           {{"x1", px(x1)}, {"y1", px(y1)}, {"x2", px(x2)}, {"y2", px(y2)}, {"class", css_class}});
}

void append_vertex(std::string& path, double x, double y) {
  path += path.empty() ? 'M' : 'L';
  path += px(x);
  path += ' ';
  path += px(y);
}

std::string marker_path(size_t index, double x, double y, double size) {
  const auto polygon = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string path;
    for (const auto& [dx, dy] : corners) append_vertex(path, x + dx * size, y + dy * size);
    return path + "Z";
  };
  switch (index % 8) {
    case 0: {  // circle, as two half turns
      const std::string radius = px(0.9 * size), width = px(1.8 * size);
      return text("M", px(x - 0.9 * size), " ", px(y), "a", radius, " ", radius, " 0 1 0 ", width,
                  " 0a", radius, " ", radius, " 0 1 0 -", width, " 0Z");
    }
    case 1:
      return polygon({{-0.8, -0.8}, {0.8, -0.8}, {0.8, 0.8}, {-0.8, 0.8}});
    case 2:
      return polygon({{0, -1.05}, {1, 0.8}, {-1, 0.8}});
    case 3:
      return polygon({{0, -1.15}, {1.15, 0}, {0, 1.15}, {-1.15, 0}});
    case 4:
      return polygon({{-1, -0.8}, {1, -0.8}, {0, 1.05}});
    case 5:  // plus
      return polygon({{-.35, -1.1},
                      {.35, -1.1},
                      {.35, -.35},
                      {1.1, -.35},
                      {1.1, .35},
                      {.35, .35},
                      {.35, 1.1},
                      {-.35, 1.1},
                      {-.35, .35},
                      {-1.1, .35},
                      {-1.1, -.35},
                      {-.35, -.35}});
    case 6:
      return polygon({{-0.55, -1.1}, {0.55, -1.1}, {0.55, 1.1}, {-0.55, 1.1}});
    default:
      return polygon({{0, -1.1}, {1.05, -.34}, {.65, .89}, {-.65, .89}, {-1.05, -.34}});
  }
}

std::string series_class(const LineFigure& figure, size_t index) {
  const Series& series = figure.series[index];
  std::string out = text("s", index % 8);
  if (series.dashed || !series.markers) {
    // Dashes are counted apart, so that two predictions never share one.
    size_t earlier = 0;
    for (size_t i = 0; i < index; ++i)
      earlier += figure.series[i].dashed || !figure.series[i].markers;
    const bool solid = !series.dashed && earlier == 0;
    if (!solid) out += text(" dash", earlier % 4);
  }
  return out;
}

double draw_legend(Markup& out, const LineFigure& figure, double left, double top, double width) {
  if (figure.series.size() < 2 && (figure.series.empty() || figure.series[0].label.empty()))
    return 0;
  double x = left, y = top + 12;
  out.open("g", {{"class", "legend"}});
  for (size_t i = 0; i < figure.series.size(); ++i) {
    const std::string clean = clean_text(figure.series[i].label);
    const std::string shown = shorten(clean, 44);
    const double needed = 36 + text_width(shown, kFont) + 18;
    if (x > left && x + needed > left + width) x = left, y += kLegendRow;
    out.open("g", {{"class", text("s", i % 8)}});
    rule(out, x, y - 4, x + 28, y - 4, "line " + series_class(figure, i));
    if (figure.series[i].markers)
      out.leaf("path", {{"d", marker_path(i, x + 14, y - 4, 4.2)}, {"class", "mark"}});
    out.open("text", {{"x", px(x + 35)}, {"y", px(y)}, {"class", "legend-label"}});
    out.text(shown).close();
    out.close();
    x += needed;
  }
  out.close();
  return y - top + 12;
}

Strip arrange_strip(const std::vector<StripLabel>& labels, double left, double right,
                    double y_label_width) {
  Strip out;
  struct Taken {
    double from, to;
    int row;
  };
  std::vector<Taken> taken;
  int rows = 0;
  if (y_label_width > 0) taken.push_back({0, y_label_width + 12, 0}), rows = 1;
  for (const StripLabel& strip_label : labels) {
    const double half = text_width(strip_label.text, kFont) / 2;
    const double centre =
        std::clamp(strip_label.at, std::min(left + half, right), std::max(right - half, left));
    int row = 0;
    const auto collides = [&](const Taken& other) {
      return other.row == row && centre - half < other.to && centre + half > other.from;
    };
    while (std::any_of(taken.begin(), taken.end(), collides)) ++row;
    taken.push_back({centre - half - 8, centre + half + 8, row});
    out.rows.push_back(row);
    out.centres.push_back(centre);
    rows = std::max(rows, row + 1);
  }
  out.height = kStripRow * rows;
  return out;
}

void draw_level_labels(Markup& out, const LineFigure& figure, const Plot& plot, const Scale& x,
                       const Scale& y) {
  std::vector<Box> taken;
  const auto place = [&](double level, const std::string& text) {
    const std::string shown = shorten(clean_text(text), 60);
    const double width = text_width(shown, kFont);
    const Place at = best_place(figure, plot, x, y, level, width, taken);
    // At the right end the text's own width decides, not our estimate of it.
    const bool at_end = at.left + width > plot.right - 5;
    label(out, at_end ? at.left + width : at.left, at.baseline, at_end ? "end" : "start",
          "note halo", shown);
  };
  for (const Reference& reference : figure.references)
    if (!reference.vertical) place(y(reference.value), reference.label);
  for (const Band& band : figure.bands)
    if (!band.vertical) place((y(band.low) + y(band.high)) / 2 + 4, band.label);
}

}  // namespace plumb::reports
