#include <algorithm>

#include "base/csv.h"
#include "base/error.h"
#include "reports/chart.h"
#include "reports/escape.h"

namespace plumb::reports {
namespace {

constexpr double kWidth = 640;
constexpr double kPlotHeight = 300;
constexpr double kAboveFrame = 13;  ///< from the frame to the lowest text above it
constexpr size_t kBandFrom = 12;    ///< so many intervals are clearer as one band than as whiskers

struct Canvas {
  const LineFigure& figure;
  const std::string& id;
  const LineDomain& domain;
  Plot plot;
  Scale x, y;
  std::string clip() const { return "url(#" + id + "-clip)"; }
};

std::vector<Point> sorted(std::vector<Point> points) {
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.x < b.x; });
  return points;
}

bool as_band(const Series& series) {
  return static_cast<size_t>(
             std::count_if(series.points.begin(), series.points.end(), has_interval)) >= kBandFrom;
}

std::string shown_x(const LineFigure& figure, double x) {
  return figure.x_is_fraction ? readable(100 * x, 3) + "\xE2\x80\xAF%" : readable(x);
}

std::string tooltip(const Canvas& canvas, const Series& series, const Point& point) {
  const LineFigure& figure = canvas.figure;
  std::string out = series.label.empty() ? "" : series.label + "\n";
  out += figure.x_label + ": " + shown_x(figure, point.x) + "\n";
  out += figure.y_label + ": " + readable(point.y);
  if (has_interval(point))
    out += " (" + readable(*point.low) + " to " + readable(*point.high) + ")";
  return out;
}

void draw_regions(Markup& out, const Canvas& canvas) {
  const Plot& plot = canvas.plot;
  for (const Band& band : canvas.figure.bands) {
    const double low = std::min(band.low, band.high), high = std::max(band.low, band.high);
    const double left = band.vertical ? canvas.x(low) : plot.left;
    const double right = band.vertical ? canvas.x(high) : plot.right;
    const double top = band.vertical ? plot.top : canvas.y(high);
    const double bottom = band.vertical ? plot.bottom : canvas.y(low);
    out.open("rect", {{"x", px(left)},
                      {"y", px(top)},
                      {"width", px(right - left)},
                      {"height", px(bottom - top)},
                      {"class", "region"},
                      {"clip-path", canvas.clip()},
                      {"data-band", band.label},
                      {"data-low", shortest(band.low)},
                      {"data-high", shortest(band.high)}});
    out.element("title", band.label).close();
  }
}

void draw_axes(Markup& out, const Canvas& canvas) {
  const Plot& plot = canvas.plot;
  const LineDomain& domain = canvas.domain;
  out.open("g", {{"class", "axis"}});
  for (size_t i = 0; i < domain.y.ticks.size(); ++i) {
    const double at = canvas.y(domain.y.ticks[i]);
    rule(out, plot.left, at, plot.right, at, "grid");
    label(out, plot.left - 8, at + 4, "end", "tick", domain.y.labels[i]);
  }
  rule(out, plot.left, plot.bottom, plot.right, plot.bottom, "base");
  for (size_t i = 0; i < domain.x.ticks.size(); ++i) {
    const double at = canvas.x(domain.x.ticks[i]);
    rule(out, at, plot.bottom, at, plot.bottom + 4, "base");
    label(out, at, plot.bottom + 18, "middle", "tick", domain.x.labels[i]);
  }
  label(out, (plot.left + plot.right) / 2, plot.bottom + 40, "middle", "axis-label",
        shorten(clean_text(canvas.figure.x_label), 80));
  out.close().line();
}

void draw_references(Markup& out, const Canvas& canvas) {
  const Plot& plot = canvas.plot;
  for (const Reference& reference : canvas.figure.references) {
    const double at = reference.vertical ? canvas.x(reference.value) : canvas.y(reference.value);
    out.open("g", {{"class", "reference"},
                   {"clip-path", canvas.clip()},
                   {"data-reference", reference.label},
                   {"data-value", shortest(reference.value)}});
    out.element("title", (reference.label.empty() ? "" : reference.label + ": ") +
                             readable(reference.value));
    if (reference.vertical)
      rule(out, at, plot.top, at, plot.bottom, "reference-line");
    else
      rule(out, plot.left, at, plot.right, at, "reference-line");
    out.close();
  }
}

/// One polygon for each run of neighbours that have an interval: a point without one leaves a gap,
/// not a guess.
void draw_interval_band(Markup& out, const Canvas& canvas, const std::vector<Point>& points) {
  for (size_t begin = 0; begin < points.size();) {
    size_t end = begin;
    while (end < points.size() && has_interval(points[end])) ++end;
    if (end - begin > 1) {
      std::string path;
      for (size_t i = begin; i < end; ++i)
        append_vertex(path, canvas.x(points[i].x), canvas.y(*points[i].high));
      for (size_t i = end; i-- > begin;)
        append_vertex(path, canvas.x(points[i].x), canvas.y(*points[i].low));
      out.leaf("path", {{"d", path + "Z"}, {"class", "interval"}, {"clip-path", canvas.clip()}});
    }
    begin = std::max(end, begin) + 1;
  }
}

/// Ends get a cap, but not where they are cut at the frame.
void draw_whiskers(Markup& out, const Canvas& canvas, const std::vector<Point>& points) {
  const LineDomain& domain = canvas.domain;
  for (const Point& point : points) {
    if (!has_interval(point) || point.y < domain.y_low || point.y > domain.y_high) continue;
    const double at = canvas.x(point.x);
    const double low = canvas.y(std::max(*point.low, domain.y_low));
    const double high = canvas.y(std::min(*point.high, domain.y_high));
    rule(out, at, low, at, high, "whisker");
    if (*point.low >= domain.y_low) rule(out, at - 3.5, low, at + 3.5, low, "whisker");
    if (*point.high <= domain.y_high) rule(out, at - 3.5, high, at + 3.5, high, "whisker");
  }
}

/// Beyond a fixed axis a point stands as an arrow at the frame.
std::string point_path(const Canvas& canvas, size_t index, const Point& point, double size) {
  const LineDomain& domain = canvas.domain;
  const double x = canvas.x(point.x);
  if (point.y > domain.y_high) return marker_path(2, x, canvas.plot.top + 5, size);
  if (point.y < domain.y_low) return marker_path(4, x, canvas.plot.bottom - 5, size);
  return marker_path(index, x, canvas.y(point.y), size);
}

void draw_points(Markup& out, const Canvas& canvas, size_t index,
                 const std::vector<Point>& points) {
  const Series& series = canvas.figure.series[index];
  const double size = points.size() > 40 ? 2.6 : 3.6;
  for (const Point& point : points) {
    const bool beyond = point.y > canvas.domain.y_high || point.y < canvas.domain.y_low;
    Attributes attributes{{"class", "point"},
                          {"data-series", series.label},
                          {"data-x", shortest(point.x)},
                          {"data-y", shortest(point.y)}};
    if (point.low) attributes.emplace_back("data-low", shortest(*point.low));
    if (point.high) attributes.emplace_back("data-high", shortest(*point.high));
    out.open("g", attributes);
    out.element("title", tooltip(canvas, series, point));
    if (series.markers || beyond || points.size() == 1)
      out.leaf("path", {{"d", point_path(canvas, index, point, size)}, {"class", "mark"}});
    // Something to point at that is larger than the mark.
    const double y = std::clamp(canvas.y(point.y), canvas.plot.top, canvas.plot.bottom);
    out.leaf("circle",
             {{"cx", px(canvas.x(point.x))}, {"cy", px(y)}, {"r", "7"}, {"class", "target"}});
    out.close();
  }
}

void draw_series(Markup& out, const Canvas& canvas, size_t index) {
  const Series& series = canvas.figure.series[index];
  const std::vector<Point> points = sorted(series.points);
  out.open("g", {{"class", text("series s", index % 8)}});
  std::string path;
  for (const Point& point : points) append_vertex(path, canvas.x(point.x), canvas.y(point.y));
  if (points.size() > 1)
    out.leaf("path", {{"d", path},
                      {"class", "line " + series_class(canvas.figure, index)},
                      {"clip-path", canvas.clip()}});
  if (!as_band(series)) draw_whiskers(out, canvas, points);
  draw_points(out, canvas, index, points);
  out.close().line();
}

std::vector<StripLabel> strip_labels(const LineFigure& figure, const Scale& x) {
  std::vector<StripLabel> out;
  for (const Band& band : figure.bands)
    if (band.vertical)
      out.push_back({shorten(clean_text(band.label), 60), (x(band.low) + x(band.high)) / 2, false});
  for (const Reference& reference : figure.references)
    if (reference.vertical && !reference.label.empty())
      out.push_back({shorten(clean_text(reference.label), 60), x(reference.value), true});
  return out;
}

double widest(const std::vector<std::string>& labels) {
  double width = 0;
  for (const std::string& one : labels) width = std::max(width, text_width(one, 12));
  return width;
}

std::string description(const LineFigure& figure) {
  std::string out = text(figure.y_label, " against ", figure.x_label, "; ", figure.series.size(),
                         figure.series.size() == 1 ? " line" : " lines");
  for (size_t i = 0; i < figure.series.size(); ++i)
    out += text(i == 0 ? ": " : ", ", figure.series[i].label);
  return out + ". The numbers are in the table below the figure.";
}

std::vector<std::string> notes(const LineDomain& domain) {
  std::vector<std::string> out;
  if (domain.points_beyond > 0)
    out.push_back(text(domain.points_beyond,
                       domain.points_beyond == 1 ? " point lies" : " points lie",
                       " beyond the axis and ", domain.points_beyond == 1 ? "is" : "are",
                       " drawn as arrows at its end; the table has the values."));
  if (domain.intervals_beyond > 0)
    out.push_back(text(domain.intervals_beyond,
                       domain.intervals_beyond == 1 ? " interval runs" : " intervals run",
                       " on beyond the axis; the table has the ends."));
  return out;
}

}  // namespace

void open_svg(Markup& out, const std::string& id, double width, double height,
              const std::string& title, const std::string& text) {
  out.open("svg", {{"xmlns", "http://www.w3.org/2000/svg"},
                   {"viewBox", "0 0 " + px(width) + " " + px(height)},
                   {"role", "img"},
                   {"aria-labelledby", id + "-title " + id + "-desc"}});
  out.element("title", {{"id", id + "-title"}}, title);
  out.element("desc", {{"id", id + "-desc"}}, text).line();
}

Drawing draw(const LineFigure& figure, const std::string& id) {
  const LineDomain domain = line_domain(figure);
  // Room for the ticks' labels beside the frame and, half of each, at its lower corners.
  const double corner = widest(domain.x.labels) / 2 + 2;
  Plot plot{.left = std::max(widest(domain.y.labels) + 16, corner),
            .right = kWidth - std::max(12.0, corner)};
  const Scale x{domain.x_low, domain.x_high, plot.left, plot.right};

  Markup legend;
  plot.top = 4 + draw_legend(legend, figure, plot.left, 4, plot.right - plot.left);
  const std::vector<StripLabel> labels = strip_labels(figure, x);
  const std::string y_label = shorten(clean_text(figure.y_label), 80);
  const Strip strip = arrange_strip(labels, plot.left, plot.right, text_width(y_label, 12));
  plot.top += strip.height + kAboveFrame - 4;
  plot.bottom = plot.top + kPlotHeight;
  const Scale y{domain.y_low, domain.y_high, plot.bottom, plot.top};
  const Canvas canvas{figure, id, domain, plot, x, y};

  Markup out;
  open_svg(out, id, kWidth, plot.bottom + 48, figure.title, description(figure));
  out.open("clipPath", {{"id", id + "-clip"}});
  out.leaf("rect", {{"x", px(plot.left)},
                    {"y", px(plot.top)},
                    {"width", px(plot.right - plot.left)},
                    {"height", px(plot.bottom - plot.top)}})
      .close();
  out.raw(legend.str());
  draw_regions(out, canvas);
  draw_axes(out, canvas);
  label(out, 0, plot.top - kAboveFrame, "start", "axis-label", y_label);
  draw_references(out, canvas);
  for (size_t i = 0; i < labels.size(); ++i) {
    const double baseline = plot.top - kAboveFrame - 17 * strip.rows[i];
    if (labels[i].line)
      rule(out, labels[i].at, baseline + 4, labels[i].at, plot.top, "reference-line");
    label(out, strip.centres[i], baseline, "middle", "note", labels[i].text);
  }
  for (size_t i = 0; i < figure.series.size(); ++i)
    if (as_band(figure.series[i])) {
      out.open("g", {{"class", text("s", i % 8)}});
      draw_interval_band(out, canvas, sorted(figure.series[i].points));
      out.close();
    }
  for (size_t i = 0; i < figure.series.size(); ++i) draw_series(out, canvas, i);
  draw_level_labels(out, figure, plot, x, y);
  out.close();
  return {out.str(), notes(domain)};
}

}  // namespace plumb::reports
