// What goes into a history, and what is shown of it.

#include <algorithm>
#include <cmath>
#include <map>

#include "base/csv.h"
#include "base/environment.h"
#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/gate/history.h"
#include "reports/escape.h"

namespace plumb::harness {
namespace {

std::string fact(const FactMap& facts, const char* name) {
  const auto found = facts.find(name);
  return found == facts.end() ? "" : reports::repair_utf8(found->second);
}

HistoryEntry entry_about(const GateSnapshot& side, const char* command, int exit_code,
                         const std::string& now) {
  return {now,
          command,
          reports::repair_utf8(side.source),
          fact(side.model, "name"),
          fact(side.model, "sha256"),
          exit_code,
          {}};
}

HistoryRow number(const std::string& metric, const std::string& unit, double value) {
  HistoryRow row;
  row.metric = metric;
  row.unit = unit;
  if (std::isfinite(value))
    row.value = value;
  else
    row.absent_reason = "it is not finite";
  return row;
}

/// The tolerances' names: n = 0 stands without a plan.
std::string named(const std::string& metric, const std::string& plan) {
  return plan.ends_with(":0") ? metric : text(metric, "[", plan, "]");
}

std::string metric_of(const std::string& record) {
  static const std::map<std::string, std::string> names = {
      {"loss_nats", "loss"},
      {"kl_nats", "kl"},
      {"healed_loss_nats", "healed.loss"},
      {"prefill_ms", "prefill.ms"},
      {"prefill_blocks_ms", "prefill_blocks.ms"},
      {"decode_ms_per_token", "decode.ms"},
      {"peak_resident_bytes", "peak_rss"},
      {"healed_accuracy", "healed.acc"}};
  const auto found = names.find(record);
  return found == names.end() ? record : found->second;
}

reports::LineFigure figure_of(const std::string& metric, const std::vector<HistoryRow>& rows) {
  reports::LineFigure figure;
  figure.id = "trend-" + reports::slug(metric);
  figure.title = metric;
  figure.caption =
      "One point for each gate and run in the order of time, a line for each model; bars are the "
      "interval of a gate's change about the baseline, where the history has one.";
  figure.x_label = "number of the run";
  std::map<std::string, size_t> series;
  for (const HistoryRow& row : rows) {
    if (row.metric != metric || !row.value) continue;
    figure.y_label = row.unit == "1" ? "share" : row.unit;
    const std::string label = text(row.model_name.empty() ? "a model" : row.model_name, " ",
                                   row.model_sha256.substr(0, 8));
    const auto [found, fresh] = series.emplace(label, figure.series.size());
    if (fresh) figure.series.push_back({.label = label});
    figure.series[found->second].points.push_back(
        {static_cast<double>(row.run), *row.value, row.low, row.high});
  }
  return figure;
}

}  // namespace

HistoryEntry gate_entry(const GateResult& result, const GateSnapshot& candidate, int exit_code,
                        const std::string& now) {
  HistoryEntry out = entry_about(candidate, "gate", exit_code, now);
  for (const Finding& f : result.findings) {
    HistoryRow row;
    row.metric = reports::repair_utf8(f.tolerance.name());
    row.unit = f.unit;
    row.value = f.candidate;
    if (!row.value) row.absent_reason = reports::repair_utf8(f.verdict.reason);
    if (row.value && f.interval && f.baseline) {  // of the change, about the baseline
      const double scale = f.tolerance.relative ? *f.baseline : 1;
      row.low = *f.baseline + scale * f.interval->low;
      row.high = *f.baseline + scale * f.interval->high;
    }
    row.verdict = verdict_name(f.verdict.kind);
    out.rows.push_back(std::move(row));
  }
  return out;
}

HistoryEntry run_entry(const GateSnapshot& run, const std::string& now) {
  HistoryEntry out = entry_about(run, "run", 0, now);
  std::vector<std::string> taken;
  const auto add = [&](HistoryRow row) {
    // n = 0 is the same plan of every strategy.
    if (std::ranges::find(taken, row.metric) != taken.end()) return;
    taken.push_back(row.metric);
    out.rows.push_back(std::move(row));
  };
  for (const DocumentSeries& s : run.documents)
    add(number(named(metric_of(s.metric), s.plan), s.metric == "same_top1" ? "1" : "nats",
               mean(s.values)));
  if (run.answers)
    for (const TaskLog& task : run.answers->tasks)
      for (const LoggedPlan& plan : task.plans)
        if (!plan.right.empty())
          add(number(named(task.task + ".acc", plan.name()), "1",
                     static_cast<double>(std::ranges::count(plan.right, 1)) /
                         static_cast<double>(plan.right.size())));
  for (const Estimate& e : run.estimates) {
    HistoryRow row = number(text(e.task, ".", metric_of(e.metric), "[", e.plan, "]"),
                            e.metric == "f0" ? "fraction of blocks" : "1", e.value);
    row.low = e.interval.low;
    row.high = e.interval.high;
    add(std::move(row));
  }
  for (const RepeatedSeries& s : run.repeated) {
    std::vector<double> all;
    for (const auto& one : s.runs) all.insert(all.end(), one.begin(), one.end());
    const bool bytes = s.metric.ends_with("bytes");
    add(number(named(metric_of(s.metric), s.plan), bytes ? "bytes" : "ms",
               bytes ? *std::ranges::max_element(all) : median(all)));
  }
  for (const auto& [name, reason] : run.absent) {
    HistoryRow row;
    row.metric = reports::repair_utf8(metric_of(name));
    row.absent_reason = reason.empty() ? "no reason was given" : reports::repair_utf8(reason);
    add(std::move(row));
  }
  return out;
}

reports::Report history_report(const std::vector<HistoryRow>& rows, const std::string& name) {
  reports::Report report;
  report.title = "History of " + name;
  report.subtitle = version_line();
  std::vector<std::string> metrics;
  reports::Table table{
      .id = "history",
      .title = "Every number",
      .caption = "In order of time. A number that is missing has its reason.",
      .columns = {"run", "at", "command", "source", "model", "metric", "value", "unit", "verdict"},
      .numeric = {true, false, false, false, false, false, true, false, false}};
  for (const HistoryRow& row : rows) {
    if (row.value && std::ranges::find(metrics, row.metric) == metrics.end())
      metrics.push_back(row.metric);
    table.rows.push_back(
        {text(row.run), row.at, row.command, row.source, row.model_sha256.substr(0, 12), row.metric,
         row.value ? shortest(*row.value) : row.absent_reason, row.unit, row.verdict});
  }
  for (const std::string& metric : metrics) report.figures.push_back(figure_of(metric, rows));
  report.figures.push_back(std::move(table));
  return report;
}

}  // namespace plumb::harness
