// What the last block is worth: the deepest n blocks with it against the n before it.

#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

constexpr const char* kStays = "the last block stays (simple)";
constexpr const char* kGoes = "it goes as well (deepest)";

}  // namespace

bool has_deepest(const Shown& shown) {
  for (const auto& plan : shown.run.sweep.plans)
    if (plan.strategy == "deepest" && plan.removed_count() > 0) return true;
  return false;
}

reports::LineFigure deepest_loss_figure(const Shown& shown) {
  reports::LineFigure figure{.id = "deepest-loss",
                             .title = "The last block and the loss",
                             .caption =
                                 "Loss without the n blocks before the last one, and without the "
                                 "deepest n, the last one among them. "
                                 "Bars: 95 % by document, each point for itself; the claim "
                                 "compares the two on the same documents.",
                             .x_label = "n, blocks removed",
                             .y_label = "loss / ln V",
                             .series = {{.label = kStays}, {.label = kGoes}}};
  for (int64_t n = 1; n < shown.blocks(); ++n) {
    const auto deepest = shown.plan("deepest", n), simple = shown.plan("simple", n);
    if (!deepest || !simple) continue;
    for (const auto& [series, plan] : {std::pair(0, *simple), std::pair(1, *deepest)}) {
      const PlanLoss& loss = shown.losses[plan];
      figure.series[static_cast<size_t>(series)].points.push_back({.x = static_cast<double>(n),
                                                                   .y = loss.normalised,
                                                                   .low = loss.interval.low,
                                                                   .high = loss.interval.high});
    }
  }
  figure.y_low = 0;
  figure.y_high = loss_ceiling(figure);
  return figure;
}

reports::LineFigure deepest_accuracy_figure(const AccuracySummary& s) {
  std::string id = "deepest-" + s.answered.task;
  reports::LineFigure figure{.id = id,
                             .title = text("The last block and answers to ", s.answered.task),
                             .caption =
                                 "Accuracy of the same plans. Other authors' tables of unhealed "
                                 "models on MMLU speak against the paper "
                                 "here: see the claim.",
                             .x_label = "n, blocks removed",
                             .y_label = text("accuracy (", s.answered.metric, ")"),
                             .series = {{.label = kStays}, {.label = kGoes}},
                             .references = {{.label = "chance", .value = s.answered.chance}},
                             .y_low = 0,
                             .y_high = 1};
  for (const PlanComparison& pair : s.against_simple) {
    if (s.answered.plans[pair.plan].strategy != "deepest") continue;
    for (const auto& [series, plan] : {std::pair(0, pair.against), std::pair(1, pair.plan)})
      figure.series[static_cast<size_t>(series)].points.push_back(
          {.x = static_cast<double>(s.answered.plans[plan].n),
           .y = s.plans[plan].accuracy,
           .low = s.plans[plan].interval.low,
           .high = s.plans[plan].interval.high});
  }
  return figure;
}

}  // namespace plumb::harness
