#pragma once

#include <string>
#include <vector>

#include "reports/axis.h"
#include "reports/figure.h"
#include "reports/markup.h"

namespace plumb::reports {

/// Figures as inline SVG. Every drawing is an `svg` with role="img", a title and a desc; marks
/// carry what they show in `data-*` attributes with all digits, so that a reader's script or a test
/// can take the numbers back out.

/// The drawing and what its caption must add because the drawing cannot show it.
struct Drawing {
  std::string svg;
  std::vector<std::string> notes;
};

/// `id` is unique in the page. Error{kInvariant} naming figure and series for a value that is not
/// finite.
Drawing draw(const LineFigure& figure, const std::string& id);

/// Error{kInvariant} for a value that is not finite or a cell outside [first_row, first_row + rows)
/// x [0, columns).
Drawing draw(const HeatFigure& figure, const std::string& id);

/// Error{kInvariant} for no block, or a removed one that is not ascending or not there.
Drawing draw(const PlanFigure& figure, const std::string& id);

/// Opens the `svg` with its title and desc.
void open_svg(Markup& out, const std::string& id, double width, double height,
              const std::string& title, const std::string& description);

/// The rectangle that data may fill.
struct Plot {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// Text at (x, y); `anchor` is start, middle or end.
void label(Markup& out, double x, double y, const std::string& anchor, const std::string& css_class,
           const std::string& text);
void rule(Markup& out, double x1, double y1, double x2, double y2, const std::string& css_class);

/// Appends one vertex to the data of a `path`: the first moves, the others draw.
void append_vertex(std::string& path, double x, double y);

// --- parts of line charts -----------------------------------------------------------------------

/// The axes' ends: fitted to points and references, or as the figure fixes them. Intervals may
/// widen the fitted range by half of the points' span at each end; what lies beyond is cut at the
/// frame and counted.
struct LineDomain {
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
  Axis x, y;
  int intervals_beyond = 0;
  int points_beyond = 0;
};
LineDomain line_domain(const LineFigure& figure);

/// A point's interval, where it has one.
bool has_interval(const Point& point);

/// The mark of series `index`: one of eight shapes, centred at (x, y), `size` from centre to edge.
std::string marker_path(size_t index, double x, double y, double size);

/// The legend above the plot, in rows no wider than `width`; returns its height.
double draw_legend(Markup& out, const LineFigure& figure, double left, double top, double width);

/// Classes of a series' line: its colour and, where it is dashed or has no markers, its dash.
std::string series_class(const LineFigure& figure, size_t index);

/// Labels of what crosses the plot from bottom to top, stacked above it where they would collide;
/// the plot's top is `top` + the returned height. `y_label` takes the left end of the lowest row.
struct StripLabel {
  std::string text;
  double at = 0;      ///< centre, in user units
  bool line = false;  ///< a line leads to it
};
struct Strip {
  std::vector<int> rows;  ///< of each label, 0 next to the plot
  std::vector<double> centres;
  double height = 0;
};
Strip arrange_strip(const std::vector<StripLabel>& labels, double left, double right,
                    double y_label_width);

/// Labels of horizontal references and bands, each where the fewest lines run beneath it.
void draw_level_labels(Markup& out, const LineFigure& figure, const Plot& plot, const Scale& x,
                       const Scale& y);

}  // namespace plumb::reports
