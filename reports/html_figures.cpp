#include <algorithm>
#include <map>

#include "base/error.h"
#include "reports/axis.h"
#include "reports/chart.h"
#include "reports/escape.h"
#include "reports/html_parts.h"

namespace plumb::reports {
namespace {

/// A table of more columns takes the page's whole width.
constexpr size_t kWideFrom = 8;

void write_caption(Markup& out, const std::string& caption, const std::vector<std::string>& notes) {
  if (caption.empty() && notes.empty()) return;
  out.open("figcaption");
  if (!caption.empty()) out.element("p", caption);
  for (const std::string& note : notes) out.element("p", {{"class", "drawing-note"}}, note);
  out.close().line();
}

void open_data(Markup& out, const std::string& title, size_t count, const char* what) {
  out.open("details").element("summary", text("Data: ", count, " ", what, count == 1 ? "" : "s"));
  open_scroll(out, "Data of " + title);
  out.open("table");
}

/// One row for each x, one column for each series; two points of a series at one x share a cell.
void write_data(Markup& out, const LineFigure& figure) {
  std::map<double, std::vector<std::vector<const Point*>>> rows;
  size_t count = 0;
  for (size_t i = 0; i < figure.series.size(); ++i)
    for (const Point& point : figure.series[i].points) {
      auto& row = rows[point.x];
      row.resize(figure.series.size());
      row[i].push_back(&point);
      ++count;
    }
  open_data(out, figure.title, count, "point");
  out.element("caption", figure.y_label + "; intervals in brackets").open("thead").open("tr");
  out.element("th", {{"scope", "col"}, {"class", "number"}}, figure.x_label);
  for (const Series& series : figure.series)
    out.element("th", {{"scope", "col"}, {"class", "number"}},
                series.label.empty() ? figure.y_label : series.label);
  out.close().close().open("tbody");
  for (const auto& [x, row] : rows) {
    out.open("tr").element(
        "th", {{"scope", "row"}, {"class", "number"}},
        figure.x_is_fraction ? readable(100 * x) + "\xE2\x80\xAF%" : readable(x));
    for (const auto& cell : row) {
      out.open("td", {{"class", "number"}});
      for (size_t k = 0; k < cell.size(); ++k) {
        out.text((k == 0 ? "" : "; ") + readable(cell[k]->y));
        if (has_interval(*cell[k]))
          out.element("span", {{"class", "span"}},
                      " [" + readable(*cell[k]->low) + ", " + readable(*cell[k]->high) + "]");
      }
      out.close();
    }
    out.close().line();
  }
  out.close().close().close().close();
}

void write_data(Markup& out, const HeatFigure& figure) {
  std::map<std::pair<int, int>, const Cell*> cells;
  for (const Cell& cell : figure.cells) cells[{cell.row, cell.column}] = &cell;
  open_data(out, figure.title, figure.cells.size(), "cell");
  out.element("caption", figure.value_label + "; rows: " + figure.row_label +
                             "; columns: " + figure.column_label +
                             (figure.mark_label.empty() ? "" : "; bold: " + figure.mark_label));
  out.open("thead").open("tr").element("th", {{"scope", "col"}, {"class", "number"}},
                                       figure.row_label);
  for (int column = 0; column < figure.columns; ++column)
    out.element("th", {{"scope", "col"}, {"class", "number"}}, text(column));
  out.close().close().open("tbody");
  for (int row = figure.first_row; row < figure.first_row + figure.rows; ++row) {
    out.open("tr").element("th", {{"scope", "row"}, {"class", "number"}}, text(row));
    for (int column = 0; column < figure.columns; ++column) {
      const auto at = cells.find({row, column});
      const bool here = at != cells.end();
      out.element("td", {{"class", here && at->second->marked ? "number starred" : "number"}},
                  here ? readable(at->second->value) : "");
    }
    out.close().line();
  }
  out.close().close().close().close();
}

void write_data(Markup& out, const PlanFigure& figure) {
  open_data(out, figure.title, figure.rows.size(), "plan");
  out.open("thead").open("tr");
  for (const char* head : {"plan", "what goes and how the rest is joined"})
    out.element("th", {{"scope", "col"}}, head);
  for (const char* head : {"removed", "of blocks"})
    out.element("th", {{"scope", "col"}, {"class", "number"}}, head);
  out.close().close().open("tbody");
  for (const PlanRow& row : figure.rows) {
    out.open("tr").element("th", {{"scope", "row"}}, row.label);
    out.element("td", reconnection(row, figure.blocks));
    out.element("td", {{"class", "number"}}, text(row.removed.size()));
    out.element("td", {{"class", "number"}}, text(figure.blocks)).close().line();
  }
  out.close().close().close().close();
}

template <typename Drawn>
void write_figure(Markup& out, const Drawn& figure, const std::string& css_class, Ids& ids) {
  const std::string id = ids.claim(figure.id);
  out.open("figure", {{"id", id}, {"class", css_class}}).element("h3", figure.title).line();
  const Drawing drawing = draw(figure, id);
  open_scroll(out, figure.title);
  out.raw(drawing.svg).close().line();
  write_caption(out, figure.caption, drawing.notes);
  write_data(out, figure);
  out.close().line();
}

void write_figure(Markup& out, const LineFigure& figure, Ids& ids) {
  write_figure(out, figure, "line-figure", ids);
}
void write_figure(Markup& out, const HeatFigure& figure, Ids& ids) {
  write_figure(out, figure, "heat-figure", ids);
}
void write_figure(Markup& out, const PlanFigure& figure, Ids& ids) {
  write_figure(out, figure, "plan-figure", ids);
}

void write_figure(Markup& out, const Table& table, Ids& ids) {
  for (const auto& row : table.rows)
    if (row.size() != table.columns.size())
      throw Error(ErrorKind::kInvariant, text("table '", table.id, "' has a row of ", row.size(),
                                              " cells under ", table.columns.size(), " columns"));
  const auto css_class = [&](size_t column) {
    return std::string(column < table.numeric.size() && table.numeric[column] ? "number" : "");
  };
  out.open("figure",
           {{"id", ids.claim(table.id)},
            {"class", table.columns.size() > kWideFrom ? "table-figure wide" : "table-figure"}})
      .element("h3", table.title)
      .line();
  open_scroll(out, table.title);
  out.open("table").open("thead").open("tr");
  for (size_t i = 0; i < table.columns.size(); ++i)
    out.element("th", {{"scope", "col"}, {"class", css_class(i)}}, table.columns[i]);
  out.close().close().open("tbody");
  for (const auto& row : table.rows) {
    out.open("tr");
    for (size_t i = 0; i < row.size(); ++i) out.element("td", {{"class", css_class(i)}}, row[i]);
    out.close().line();
  }
  out.close().close().close().line();
  write_caption(out, table.caption, {});
  out.close().line();
}

bool is_table(const Figure& figure) { return std::holds_alternative<Table>(figure); }

void write_section(Markup& out, const Report& report, const std::string& id, const char* heading,
                   bool tables, Ids& ids) {
  out.open("section", {{"id", id}, {"aria-labelledby", id + "-heading"}});
  out.element("h2", {{"id", id + "-heading"}}, heading).line();
  out.open("div", {{"class", "figures"}}).line();
  for (const Figure& figure : report.figures)
    if (is_table(figure) == tables)
      std::visit([&](const auto& one) { write_figure(out, one, ids); }, figure);
  out.close().close().line();
}

}  // namespace

bool has_tables(const Report& report) {
  return std::any_of(report.figures.begin(), report.figures.end(), is_table);
}

bool has_drawings(const Report& report) {
  return !std::all_of(report.figures.begin(), report.figures.end(), is_table);
}

void write_figures(Markup& out, const Report& report, Ids& ids) {
  if (has_drawings(report)) write_section(out, report, "figures", "Figures", false, ids);
}

void write_tables(Markup& out, const Report& report, Ids& ids) {
  if (has_tables(report)) write_section(out, report, "tables", "Tables", true, ids);
}

}  // namespace plumb::reports
