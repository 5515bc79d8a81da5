#pragma once

#include <optional>
#include <string>
#include <vector>

namespace plumb::reports {

/// A figure described by what it shows; `reports` draws it and knows nothing of what it means.

struct Point {
  double x = 0;
  double y = 0;
  std::optional<double> low = {};  ///< ends of the interval, where there is one
  std::optional<double> high = {};
};

struct Series {
  std::string label = {};
  std::vector<Point> points = {};
  bool dashed = false;  ///< a prediction or reference rather than a measurement
  bool markers = true;
};

/// A line across the plot, such as "random guess" at y = 1.
struct Reference {
  std::string label = {};
  double value = 0;
  bool vertical = false;
};

/// A shaded region, such as a published collapse band.
struct Band {
  std::string label = {};
  double low = 0;
  double high = 0;
  bool vertical = true;  ///< spans x from low to high; otherwise y
};

struct LineFigure {
  std::string id = {};  ///< unique in the report, [a-z0-9-]
  std::string title = {};
  std::string caption = {};  ///< what to see and how it was measured
  std::string x_label = {};
  std::string y_label = {};
  bool x_is_fraction = false;  ///< ticks as per cent
  std::vector<Series> series = {};
  std::vector<Reference> references = {};
  std::vector<Band> bands = {};
  std::optional<double> y_low = {};  ///< fixed axis ends, or fitted to the data
  std::optional<double> y_high = {};
};

struct Cell {
  int row = 0;     ///< the number shown: first_row .. first_row + rows - 1
  int column = 0;  ///< 0 .. columns - 1
  double value = 0;
  bool marked = false;
  std::string tooltip = {};
};

struct HeatFigure {
  std::string id = {};
  std::string title = {};
  std::string caption = {};
  std::string row_label = {};     ///< "n, blocks removed"
  std::string column_label = {};  ///< "l, first removed block"
  int first_row = 1;
  int rows = 0;
  int columns = 0;
  bool normalise_rows = false;   ///< colours by each row's own range, as in the paper's Fig 4
  std::string value_label = {};  ///< "angular distance, half turns"
  std::vector<Cell> cells = {};
  std::string mark_label = {};  ///< what a marked cell is, for the key: "l*, the least of its row"
};

/// Blocks of a model in a row, those that a plan removes among them.
struct PlanRow {
  std::string label = {};
  std::vector<int> removed = {};  ///< ascending, each in 0..blocks - 1
};

/// Which blocks go and how what stays is joined: one row of `blocks` for each plan.
struct PlanFigure {
  std::string id = {};
  std::string title = {};
  std::string caption = {};
  int blocks = 0;
  std::vector<PlanRow> rows = {};
};

struct Table {
  std::string id = {};
  std::string title = {};
  std::string caption = {};
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows = {};
  std::vector<bool> numeric = {};  ///< per column: right-aligned
};

}  // namespace plumb::reports
