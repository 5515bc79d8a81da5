#include <cmath>

#include "base/error.h"
#include "base/json_fields.h"
#include "base/statistics/summary.h"
#include "harness/experiment/embedded.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

std::string blocks_text(const pruning::PruningPlan& plan) {
  return plan.removed_count() == 0 ? "none" : plan.removed_text();
}

std::string per_cent(int64_t n, int64_t blocks) {
  return number_text(100.0 * static_cast<double>(n) / static_cast<double>(blocks), 3) + " %";
}

}  // namespace

reports::Table plan_table(const Shown& shown) {
  reports::Table table{.id = "plans",
                       .title = "The most similar blocks",
                       .caption = "l*(n): first of the n blocks that similarity removes.",
                       .columns = {"n", "removed", "l*(n)", "blocks", "stability"},
                       .numeric = {true, true, true, false, true}};
  for (const auto& start : shown.run.plans.starts)
    table.rows.push_back(
        {text(start.n), per_cent(start.n, shown.blocks()), text(start.first),
         start.n == 1 ? text(start.first) : text(start.first, "-", start.first + start.n - 1),
         number_text(start.stability, 3)});
  return table;
}

reports::Table loss_table(const Shown& shown) {
  reports::Table table{
      .id = "losses",
      .title = "Loss of every plan",
      .caption = "95 % interval by document, of the normalised loss.",
      .columns = {"strategy", "n", "removed", "blocks", "nats", "normalised", "low", "high"},
      .numeric = {false, true, true, false, true, true, true, true}};
  for (size_t i = 0; i < shown.run.sweep.plans.size(); ++i) {
    const auto& plan = shown.run.sweep.plans[i];
    const PlanLoss& loss = shown.losses[i];
    table.rows.push_back({plan.strategy, text(plan.removed_count()),
                          per_cent(plan.removed_count(), shown.blocks()), blocks_text(plan),
                          number_text(loss.loss_nats), number_text(loss.normalised),
                          number_text(loss.interval.low), number_text(loss.interval.high)});
  }
  return table;
}

reports::Table cost_table(const Shown& shown) {
  reports::Table table{.id = "cost",
                       .title = "Cost of every configuration",
                       .caption = "Medians; each configuration in a process of its own.",
                       .columns = {"n", "blocks", "weights", "peak memory", "prefill",
                                   "of it blocks", "decode per token"},
                       .numeric = std::vector<bool>(7, true)};
  for (const CostPoint& point : shown.run.cost->points) {
    const metrics::Cost& cost = point.cost;
    table.rows.push_back({text(point.n), text(cost.blocks), bytes_text(cost.weight_bytes),
                          bytes_text(cost.peak_resident_bytes),
                          number_text(median(cost.prefill_ms), 3) + " ms",
                          number_text(median(cost.prefill_blocks_ms), 3) + " ms",
                          number_text(median(cost.decode_ms_per_token), 3) + " ms"});
  }
  return table;
}

reports::Table published_table() {
  reports::Table table{
      .id = "published",
      .title = "Published losses of other models",
      .caption =
          "From the literature, on C4, larger models: to compare with, not measured here. The "
          "claims' sources are in fixtures/claims.",
      .columns = {"model", "method", "removed", "perplexity", "normalised"},
      .numeric = {false, false, true, true, true}};
  const auto file = parse_json(dense_losses_json());
  const double most = std::log(file.at("vocabulary_size").get<double>());
  for (const auto& point : file.at("points")) {
    const double perplexity = point.at("perplexity");
    table.rows.push_back({point.at("model"), point.at("method"),
                          number_text(100 * point.at("fraction").get<double>(), 3) + " %",
                          number_text(perplexity), number_text(std::log(perplexity) / most, 3)});
  }
  table.caption += " Source: " + file.at("source").get<std::string>() + ".";
  return table;
}

}  // namespace plumb::harness
