#include "harness/presentation/measured_report.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "base/statistics/tail.h"
#include "harness/cli/console.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

constexpr double kMegabyte = 1e6;
constexpr double kShownPercentile = 0.90;
/// With more lines than these the dashed ones of the predictions would hide them.
constexpr size_t kMostPredicted = 4;

double tokens_per_second(const Measured& m) {
  return 1e3 * static_cast<double>(m.configuration.batch) / median(m.times("between_tokens"));
}

/// Of the memory that the model is in: the device's where one is used, else the process' own.
std::optional<uint64_t> peak_of(const Measured& m) {
  return m.device ? largest(m.device->allocated_bytes) : m.peak();
}
uint64_t predicted_of(const Measured& m) {
  return m.device ? m.device->predicted_bytes : m.predicted_peak_bytes.front();
}
std::string peak_words(const MeasureResult& r) {
  return r.measured.front().device
             ? "Most that the device's allocator gave out while the processes were timed"
             : "Largest resident memory of the processes after loading";
}

/// What is on the horizontal axis, and the name of a line.
struct Axis {
  std::string label;
  std::function<double(const Measured&)> x;
  std::function<std::string(const Measured&)> line;
};

std::string batch_text(const Measured& m) {
  const int64_t batch = m.configuration.batch;
  return batch == 1 ? "one prompt" : text(batch, " prompts");
}

/// Over n where several were measured, else over the length of the prompt; none where neither varies.
std::optional<Axis> axis_of(const MeasureResult& r) {
  std::set<int64_t> counts, contexts;
  for (const Measured& m : r.measured) {
    counts.insert(m.n());
    contexts.insert(m.configuration.context);
  }
  if (counts.size() > 1)
    return Axis{"n, blocks removed", [](const Measured& m) { return static_cast<double>(m.n()); },
                [](const Measured& m) {
                  return text(batch_text(m), " of ", m.configuration.context, " tokens");
                }};
  if (contexts.size() > 1)
    return Axis{"tokens of the prompt",
                [](const Measured& m) { return static_cast<double>(m.configuration.context); },
                batch_text};
  return std::nullopt;
}

using MakePoint = std::function<reports::Point(const Measured&)>;

/// A line for each batch (and context) in the order of x.
std::vector<reports::Series> series_of(const MeasureResult& r, const Axis& axis,
                                       const MakePoint& point) {
  std::vector<reports::Series> out;
  for (const Measured& m : r.measured) {
    const std::string label = axis.line(m);
    auto found = std::ranges::find(out, label, &reports::Series::label);
    if (found == out.end()) {
      out.push_back({.label = label});
      found = out.end() - 1;
    }
    found->points.push_back(point(m));
  }
  for (reports::Series& series : out) std::ranges::sort(series.points, {}, &reports::Point::x);
  return out;
}

reports::Point median_and_range(double x, const std::vector<double>& ms) {
  const auto [least, most] = std::minmax_element(ms.begin(), ms.end());
  return {.x = x, .y = median(ms), .low = *least, .high = *most};
}

reports::LineFigure time_figure(const MeasureResult& r, const Axis& axis, const std::string& what,
                                const std::string& id, const std::string& title) {
  return {
      .id = id,
      .title = title,
      .caption =
          text("Median and range of all repetitions of ", r.rounds, " processes, the first arm."),
      .x_label = axis.label,
      .y_label = "ms",
      .series = series_of(
          r, axis, [&](const Measured& m) { return median_and_range(axis.x(m), m.times(what)); }),
      .y_low = 0};
}

reports::LineFigure peak_figure(const MeasureResult& r, const Axis& axis) {
  reports::LineFigure figure{
      .id = "peak",
      .title = "Peak memory",
      .caption = peak_words(r) + "; dashed: what the configuration predicts.",
      .x_label = axis.label,
      .y_label = "MB",
      .series = series_of(r, axis,
                          [&](const Measured& m) {
                            return reports::Point{
                                .x = axis.x(m), .y = static_cast<double>(*peak_of(m)) / kMegabyte};
                          }),
      .y_low = 0};
  if (figure.series.size() > kMostPredicted) {
    figure.caption = peak_words(r) + ".";
    return figure;
  }
  for (reports::Series& predicted : series_of(r, axis, [&](const Measured& m) {
         return reports::Point{.x = axis.x(m),
                               .y = static_cast<double>(predicted_of(m)) / kMegabyte};
       })) {
    predicted.label += ", predicted";
    predicted.dashed = true;
    predicted.markers = false;
    figure.series.push_back(std::move(predicted));
  }
  return figure;
}

/// The cells that name a configuration.
std::vector<std::string> configuration_cells(const Measured& m) {
  return {text(m.n()), m.n() == 0 ? "none" : m.removed, text(m.configuration.context),
          text(m.configuration.batch)};
}

reports::Table times_table(const MeasureResult& r) {
  reports::Table table{
      .id = "times",
      .title = "Times of every configuration",
      .caption =
          "Medians with the range of all repetitions. First token: from the prompt's "
          "ids to the first id written. A percentile is there where so many samples bound it "
          "with 95 % confidence; every sample is in samples.csv.",
      .columns = {"n", "blocks", "context", "batch", "first token, ms", "range", "blocks alone, ms",
                  "between tokens, ms", "range", "90th percentile", "tokens/s", "samples"},
      .numeric = {true, false, true, true, true, true, true, true, true, true, true, true}};
  const auto range = [](const std::vector<double>& ms) {
    const auto [least, most] = std::minmax_element(ms.begin(), ms.end());
    return text(number_text(*least, 3), " to ", number_text(*most, 3));
  };
  for (const Measured& m : r.measured) {
    const auto first = m.times("first_token"), between = m.times("between_tokens");
    const TailPercentile tail = tail_percentile(between, kShownPercentile);
    auto row = configuration_cells(m);
    row.insert(row.end(),
               {number_text(median(first), 4), range(first),
                number_text(median(m.times("blocks")), 4), number_text(median(between), 4),
                range(between), tail.value ? number_text(*tail.value, 4) : tail.reason,
                number_text(tokens_per_second(m), 3), text(first.size(), " and ", between.size())});
    table.rows.push_back(std::move(row));
  }
  return table;
}

reports::Table memory_table(const MeasureResult& r) {
  std::string energy;
  for (const Measured& m : r.measured)
    if (m.joules.empty()) energy = text(" No energy: ", m.no_energy, ".");
  const bool there = r.measured.front().device.has_value();
  reports::Table table{
      .id = "bytes",
      .title = "Memory of every configuration, predicted beside measured",
      .caption = text(
          "Baseline: the process before it loads. Predicted: ", there ? "" : "baseline, ",
          "weights, cache and activations, from config.json alone",
          there ? "; peak: most that the device's allocator gave out. The device's other bytes "
                  "and its energy are in measure.csv."
                : ".",
          energy),
      .columns = {"n", "blocks", "context", "batch", "baseline", "weights", "cache", "activations",
                  "predicted peak", "peak", "difference"},
      .numeric = {true, false, true, true, true, true, true, true, true, true, true}};
  const bool counted = energy.empty();
  if (counted) table.columns.emplace_back("joules"), table.numeric.push_back(true);
  for (const Measured& m : r.measured) {
    auto row = configuration_cells(m);
    const uint64_t predicted = predicted_of(m);
    const auto peak = peak_of(m);
    for (const uint64_t bytes :
         {m.baseline_bytes.front(), m.weight_bytes, m.cache_bytes, m.activation_bytes, predicted})
      row.push_back(bytes_text(bytes));
    row.push_back(peak ? bytes_text(*peak) : m.device->no_allocator);
    const double off = static_cast<double>(peak.value_or(0)) / static_cast<double>(predicted) - 1;
    row.push_back(peak ? text(number_text(100 * off, 2), " %") : "");
    if (counted) row.push_back(number_text(median(m.joules), 3));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<reports::Chapter> method_of(const MeasureResult& r) {
  return {
      {"How it was measured",
       {{text("Every configuration ran in ", r.rounds,
              " processes of its own, which took turns, forth and back, so that what changes "
              "meanwhile changes all of them. The first configuration ran twice in each turn: what "
              "these two differ by is the noise floor, and differences below it say nothing.")},
        {"A process loads the blocks that stay, warms up until three rounds in a row take the "
         "same time, and is then timed by Google Benchmark. Prompts are drawn by the seed or come "
         "from --prompts; tokens are chosen greedily, one after another, with a cache."},
        {"Predicted peak, for d bytes a number, L - n blocks, c tokens of context and written "
         "text, b prompts:"},
        {"peak = baseline + weights + 2 (L - n) b c (key-value heads) (head size) d + activations",
         true},
        {"The prediction of time is that of blocks that cost alike: without n of L blocks their "
         "time "
         "falls by n / L."}}}};
}

}  // namespace

reports::Report measured_report(const MeasureResult& result, const std::vector<Verdict>& verdicts,
                                const ModelFacts& model, const std::string& command) {
  reports::Report report;
  report.title = "Cost of " + printable(known_as(model));
  report.subtitle = "Memory and time, each configuration in processes of its own";
  const Measured& first = result.measured.front();
  report.headline = {
      {"tokens per second, first configuration", number_text(tokens_per_second(first), 3)},
      {"time to its first token", text(number_text(median(first.times("first_token")), 3), " ms")},
      {first.device ? "its peak on the device" : "its peak resident memory",
       peak_of(first) ? bytes_text(*peak_of(first)) : first.device->no_allocator},
      {"its weights", bytes_text(first.weight_bytes)}};
  for (const Verdict& v : verdicts)
    if (v.claim == "timings-valid")
      report.headline.emplace_back("times", v.kind == VerdictKind::kPass ? "VALID" : "INVALID");
  report.verdicts = verdicts;
  if (const auto axis = axis_of(result)) {
    report.figures.push_back(
        time_figure(result, *axis, "first_token", "first-token", "Time to the first token"));
    report.figures.push_back(
        time_figure(result, *axis, "between_tokens", "between-tokens", "Time between tokens"));
    if (std::ranges::all_of(result.measured,
                            [](const Measured& m) { return peak_of(m).has_value(); }))
      report.figures.push_back(peak_figure(result, *axis));
  }
  report.figures.push_back(times_table(result));
  report.figures.push_back(memory_table(result));
  report.method = method_of(result);
  report.records = measured_records(result);
  report.provenance = {{"system", result.system.required},
                       {"machine", result.system.further},
                       {"model", {{"file", model.file}, {"sha256", model.sha256}}},
                       {"command", {{"line", command}}}};
  report.run = {{"seconds", number_text(result.seconds)}};
  return report;
}

}  // namespace plumb::harness
