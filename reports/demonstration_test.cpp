#include "reports/demonstration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"

namespace plumb::reports {
namespace {

constexpr int kBlocks = 30;

double distance(int n, int l) {
  const double depth = (l + n / 2.0) / kBlocks;
  double value = 0.46 * (1 - std::exp(-n / 11.0)) * (1.25 - 0.85 * depth);
  if (l == 0) value += 0.11 * std::exp(-n / 14.0);
  if (l + n == kBlocks) value += 0.17 * std::exp(-n / 18.0);
  Rng noise(1, static_cast<uint64_t>(100 * n + l));
  return value * (1 + 0.02 * noise.normal());
}

HeatFigure heat_map(bool normalised) {
  HeatFigure figure{
      .id = normalised ? "distances-normalised" : "distances",
      .title = normalised ? "The same, each row on its own scale" : "How alike the states are",
      .caption = normalised ? "Row by row from the least to the greatest distance, as the paper "
                              "draws it: where would a "
                              "run of n blocks be missed least?"
                            : "Mean angular distance between the state that enters block l and the "
                              "state n blocks later, at the "
                              "last token, before the final norm. Pale: the n blocks in between "
                              "change the state little.",
      .row_label = "n, blocks removed",
      .column_label = "l, first removed block",
      .first_row = 1,
      .rows = kBlocks,
      .columns = kBlocks,
      .normalise_rows = normalised,
      .value_label = "angular distance, half turns",
      .mark_label = "l*, the least of its row"};
  for (int n = 1; n <= kBlocks; ++n) {
    size_t least = figure.cells.size();
    for (int l = 0; l + n <= kBlocks; ++l) {
      figure.cells.push_back({n, l, distance(n, l), false, ""});
      if (figure.cells.back().value < figure.cells[least].value) least = figure.cells.size() - 1;
    }
    figure.cells[least].marked = true;
  }
  return figure;
}

Series loss_series(const std::string& label, double collapse, double steepness, uint64_t seed) {
  Series series{.label = label};
  Rng noise(seed);
  for (int n = 0; n <= 28; ++n) {
    const double f = static_cast<double>(n) / kBlocks;
    double loss = 0.27 + 0.25 * f + 0.85 / (1 + std::exp((collapse - f) / steepness));
    if (f > 0.6) loss += 2.2 * (f - 0.6);
    if (n > 0) loss *= 1 + 0.02 * noise.normal();
    const double width = 0.012 + 0.5 * f * f * f;
    series.points.push_back({f, loss, loss - width, loss + 1.4 * width});
  }
  return series;
}

LineFigure loss_figure() {
  LineFigure figure{
      .id = "loss",
      .title = "Loss against the share of blocks removed",
      .caption =
          "Next-token loss on 24 held-out documents of 256 tokens, divided by ln(vocabulary size); "
          "bands are 95 % BCa "
          "intervals by document. At 1 a model knows no more than the size of its vocabulary.",
      .x_label = "blocks removed",
      .y_label = "normalised loss",
      .x_is_fraction = true};
  figure.series = {loss_series("similarity", 0.30, 0.05, 3), loss_series("simple", 0.20, 0.04, 4),
                   loss_series("block influence", 0.27, 0.06, 5),
                   loss_series("random, seed 0", 0.10, 0.05, 6)};
  figure.references = {{"random guess", 1.0, false}};
  figure.bands = {{"where the paper's models collapse, 20 % to 55 %", 0.20, 0.55, true}};
  return figure;
}

LineFigure cost_figure(const std::string& id, const std::string& title, const std::string& unit,
                       double whole, double spread) {
  LineFigure figure{.id = id,
                    .title = title,
                    .caption =
                        "Median of 10 repetitions in a child process of its own; whiskers from the "
                        "least to the greatest. Dashed: the "
                        "part outside the blocks plus 1 - n/L of the blocks' part.",
                    .x_label = "n, blocks removed",
                    .y_label = unit,
                    .y_low = 0.0};
  Series measured{.label = "measured"},
      predicted{.label = "predicted", .dashed = true, .markers = false};
  Rng noise(9);
  for (const int n : {0, 7, 14, 21, 28}) {
    const double value = whole * (0.3 + 0.7 * (1 - static_cast<double>(n) / kBlocks));
    predicted.points.push_back({static_cast<double>(n), value, {}, {}});
    const double found = value * (1 + spread * noise.normal());
    measured.points.push_back(
        {static_cast<double>(n), found, found * (1 - 1.2 * spread), found * (1 + 2 * spread)});
  }
  figure.series = {measured, predicted};
  return figure;
}

Record number(const std::string& name, std::vector<Dimension> at, Value value,
              const std::string& unit) {
  Record record;
  record.name = name;
  record.dimensions = std::move(at);
  record.value = std::move(value);
  record.unit = unit;
  return record;
}

std::vector<Verdict> verdicts() {
  Record slope = number("cost.peak_bytes.slope", {{"statistic", std::string("Theil-Sen")}}, -7.31e6,
                        "bytes per block");
  slope.interval = Interval{-7.6e6, -7.02e6, 0.95, "Sen"};
  Record none = number("loss_nats.healed", {}, {}, "nats");
  none.absent_reason = "no healing in this run";
  return {
      {"residual-reconnection",
       "Removing blocks reconnects the residual stream",
       "A plan applied in memory and the checkpoint written from it give the same logits, to the "
       "last bit.",
       "paper, section 3.2",
       VerdictKind::kPass,
       "All 5 plans gave equal logits in 5 of 5 comparisons.",
       "",
       {number("logits.largest_difference", {{"n", int64_t{7}}}, 0.0, "1"),
        number("plans.compared", {}, int64_t{5}, "1")},
       true},
      {"memory-falls",
       "Memory falls with every block removed",
       "Mann-Kendall over n of peak resident bytes; null: no trend; Holm over 3 claims.",
       "paper, section 1",
       VerdictKind::kPass,
       "S = -10 of -10, p = 0.0083; slope -7.31 MB a block (-7.6 to -7.02).",
       "",
       {slope},
       false},
      {"similarity-better",
       "Similarity loses less than simple, before healing",
       "Paired loss difference by document at n = 1..15, bootstrap, Holm; null: no difference.",
       "paper, figure 5",
       VerdictKind::kFail,
       "At n = 11 simple has the smaller loss: 0.31 nats (0.12 to 0.49), adjusted p = 0.004.",
       "Look at the distances of n = 11: is l* stable there? Add calibration documents with "
       "--limit.",
       {number("loss_nats.difference", {{"n", int64_t{11}}}, 0.3117, "nats")},
       false},
      {"deep-alike",
       "Deep blocks are more alike than shallow ones",
       "Mean distance of starts in the deeper half below the shallower half, n <= L/4.",
       "paper, figure 4",
       VerdictKind::kInconclusive,
       "Holds at 6 of 7 n; at n = 1 the interval of the difference (-0.004 to 0.011) spans zero.",
       "About 150 documents would decide it: --limit 150.",
       {number("distance.difference", {{"n", int64_t{1}}}, 0.0034, "half turns")},
       false},
      {"healed-continuous",
       "The healed loss is continuous through the collapse",
       "Largest standardised second difference below the max-T bound.",
       "paper, figure 5",
       VerdictKind::kNotRun,
       "There is no healed curve in this run.",
       "Run plumb heal at two or more n.",
       {none},
       false},
      {"baseline-latency",
       "No slower than the baseline",
       "Mann-Whitney, tolerance 5 %.",
       "release gate",
       VerdictKind::kIncomparable,
       "The baseline was measured with 8 threads, this run with 2.",
       "Measure the baseline again with --threads 2.",
       {},
       false},
      {"noise-floor",
       "The machine is quiet enough to tell 5 %",
       "A/A run: the two halves must differ by less than the tolerance.",
       "Plumb",
       VerdictKind::kInvalid,
       "The same configuration differed from itself by 8.1 %.",
       "Stop other work on the machine and run again.",
       {},
       false},
  };
}

}  // namespace

Report demonstration() {
  Report report;
  report.title = "How deep is SmolLM2-135M-Instruct?";
  report.subtitle =
      "Demonstration with invented numbers: how many of 30 blocks the model needs, and whether "
      "what is claimed about "
      "removing them holds here.";
  report.headline = {{"blocks, parameters", "30, 134.5 M"},
                     {"loss of the whole model, normalised", "0.270"},
                     {"blocks removed before loss rises by a tenth", "5 of 30"},
                     {"memory at a quarter removed", "−17 %"},
                     {"block evaluations saved", "586 of 898"}};
  report.findings = {
      "Without 5 of its 30 blocks the loss rises by less than a tenth; without 9 it collapses.",
      "One claim fails here: simple is better than similarity at n = 11."};
  report.warnings = {
      "These numbers are invented; they show what a report looks like.",
      "24 documents: intervals of single points are wide; the curves share their documents.",
      "The loss is taken at 64 seeded positions of each document; the intervals account for it."};
  report.verdicts = verdicts();
  report.figures = {
      PlanFigure{.id = "plans",
                 .title = "Which blocks go",
                 .caption = "Seven of thirty blocks, as each strategy chooses them.",
                 .blocks = kBlocks,
                 .rows = {{"whole model", {}},
                          {"similarity, n = 7", {18, 19, 20, 21, 22, 23, 24}},
                          {"simple, n = 7", {22, 23, 24, 25, 26, 27, 28}},
                          {"block influence, n = 7", {3, 16, 18, 19, 20, 24, 29}},
                          {"the first seven", {0, 1, 2, 3, 4, 5, 6}}}},
      heat_map(false),
      heat_map(true),
      loss_figure(),
      cost_figure("memory", "Peak memory against blocks removed", "peak resident MiB", 741, 0.004),
      cost_figure("latency", "Prefill time against blocks removed", "ms for 256 tokens", 212.5,
                  0.03),
      Table{.id = "cost-table",
            .title = "Cost",
            .caption = "Weight bytes are exact, the others measured.",
            .columns = {"n", "blocks removed", "weight bytes", "peak MiB", "prefill ms"},
            .rows = {{"0", "", "538 090 752", "741.2", "212.5"},
                     {"7", "18-24", "439 027 200", "619.5", "177.8"},
                     {"14", "14-27", "339 963 648", "498.9", "143.0"}},
            .numeric = {true, false, true, true, true}}};
  report.method = {
      {"Distance of two states",
       {{"The angle between what enters block l and what enters block l + n, in half turns, at the "
         "last token of a document; its mean over documents is d(n, l).",
         false},
        {"d(n, l) = (1/π) · mean over documents of arccos( ⟨x⁽ˡ⁾, x⁽ˡ⁺ⁿ⁾⟩ / (‖x⁽ˡ⁾‖ ‖x⁽ˡ⁺ⁿ⁾‖) )",
         true}}},
      {"Loss", {{"The mean of −ln p of the next token, divided by ln V.", false}}}};
  for (int n = 1; n <= kBlocks; ++n)
    for (int l = 0; l + n <= kBlocks; ++l)
      report.records.push_back(
          number("distance", {{"n", int64_t{n}}, {"l", int64_t{l}}}, distance(n, l), "half turns"));
  report.provenance = {
      {"model",
       {{"name", "SmolLM2-135M-Instruct"},
        {"file", "SmolLM2-135M-Instruct.Q4_1.gguf"},
        {"sha256", "5b1b6d04a4b1c0a3c0b7f2d9f1c5a0e7d6c5b4a39281706f5e4d3c2b1a098765"},
        {"licence", "Apache-2.0"}}},
      {"data",
       {{"documents", "24 of 210, at least 256 tokens"},
        {"calibration", "64 documents, none of them among the 24"}}},
      {"machine",
       {{"cpu", "2 cores of an invented processor, AVX-512, bf16"},
        {"memory", "16 GiB"},
        {"system", "Debian 12"}}},
      {"command", {{"line", "plumb run --out runs/default --threads 2 --dtype bf16"}}}};
  report.run = {{"started", "2026-01-01T00:00:00Z"}, {"seconds", "212.4"}};
  return report;
}

TEST(Demonstration, WritesItsFourFilesAndNothingElse) {
  const std::filesystem::path folder = std::filesystem::path(PLUMB_BINARY_DIR) / "demonstration";
  std::filesystem::remove_all(folder);
  write_report(demonstration(), folder);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.insert(entry.path().filename());
  EXPECT_EQ(names,
            (std::set<std::string>{"junit.xml", "provenance.json", "report.html", "results.json"}));
  EXPECT_EQ(read_file(folder / "report.html"), to_html(demonstration()));
}

}  // namespace plumb::reports
