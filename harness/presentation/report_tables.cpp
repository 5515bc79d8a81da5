#include <algorithm>
#include <cmath>
#include <map>

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

reports::Table continuation_table(const Shown& shown) {
  reports::Table table{
      .id = "continuation",
      .title = "Illustration: how one sentence goes on",
      .caption = text("The prompt is \u201c", kIllustrationPrompt,
                      "\u201d; the likeliest token again and again, ", kIllustrationTokens,
                      " at most. One prompt shows what numbers mean, and proves nothing."),
      .columns = {"model", "n", "blocks removed", "goes on with"},
      .numeric = {false, true, false, false}};
  const auto add = [&](const pruning::PruningPlan& plan, const std::string& how,
                       const std::string& words) {
    table.rows.push_back({how, text(plan.removed_count()), blocks_text(plan),
                          words.empty() ? "(nothing: the text ends)" : words});
  };
  for (const auto& one : shown.run.continuations->texts) {
    add(one.plan, one.plan.removed.empty() ? "whole" : text("pruned, ", one.plan.strategy),
        one.text);
    if (!shown.run.heal || one.plan.removed.empty()) continue;
    for (const HealedPlan& healed : shown.run.heal->healed)
      if (healed.plan.strategy == one.plan.strategy && healed.plan.removed == one.plan.removed)
        add(healed.plan, text("healed, ", healed.plan.strategy), healed.continuation);
  }
  return table;
}

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

reports::Table removal_table() {
  reports::Table table{.id = "removals",
                       .title = "Published accuracies on MMLU without some blocks",
                       .caption =
                           "From the literature, not measured here. Rows of simple are those that "
                           "end at block 30; those that end at "
                           "31 have lost the last block as well, and mostly answer better: this "
                           "speaks against the paper where it "
                           "says that the last block must stay.",
                       .columns = {"blocks", "n"},
                       .numeric = {true, true}};
  const auto removals = published_removals();
  std::vector<std::string> models;
  std::map<std::pair<int64_t, int64_t>, std::map<std::string, double>> rows;  // by n, then first
  for (const PublishedRemoval& r : removals) {
    if (std::find(models.begin(), models.end(), r.model) == models.end()) models.push_back(r.model);
    rows[{r.last - r.first + 1, r.first}][r.model] = r.accuracy;
  }
  for (const std::string& model : models) {
    table.columns.push_back(model);
    table.numeric.push_back(true);
  }
  for (const auto& [at, values] : rows) {
    const auto [n, first] = at;
    std::vector<std::string> row = {n == 1 ? text(first) : text(first, "-", first + n - 1),
                                    text(n)};
    for (const std::string& model : models) {
      const auto found = values.find(model);
      row.push_back(found == values.end() ? "none given" : number_text(found->second, 3));
    }
    table.rows.push_back(std::move(row));
  }
  table.caption +=
      " Source: " + parse_json(block_removal_mmlu_json()).at("source").get<std::string>() + ".";
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
