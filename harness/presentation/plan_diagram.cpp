// Which blocks go: the picture of the method.

#include <algorithm>
#include <set>

#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

/// The sweep's n nearest to a quarter and to half of the blocks, and those that are healed.
std::set<int64_t> shown_counts(const Shown& shown) {
  std::set<int64_t> swept, out;
  for (const auto& plan : shown.run.sweep.plans)
    if (plan.removed_count() > 0) swept.insert(plan.removed_count());
  if (swept.empty()) return out;
  for (const int64_t wanted : {shown.blocks() / 4, shown.blocks() / 2})
    out.insert(*std::min_element(swept.begin(), swept.end(), [&](int64_t a, int64_t b) {
      return std::abs(a - wanted) < std::abs(b - wanted);
    }));
  for (const HealingGain& gain : shown.gains) out.insert(gain.plan.removed_count());
  return out;
}

}  // namespace

reports::PlanFigure plan_diagram(const Shown& shown) {
  reports::PlanFigure figure{
      .id = "removal",
      .title = "Which blocks go, and how the rest is joined",
      .caption = text("The ", shown.blocks(),
                      " blocks of the model in a row. A block adds to the state that passes ",
                      "through it, so what enters a gap can enter the block behind it instead. "
                      "Similarity removes the n neighbours over which the state turns least, "
                      "simple the deepest "
                      "but for the last one. All other plans are in plans.csv and loss.csv."),
      .blocks = static_cast<int>(shown.blocks())};
  figure.rows.push_back({.label = "whole model"});
  for (const int64_t n : shown_counts(shown))
    for (const std::string& strategy : shown.run.experiment.strategies) {
      const auto at = shown.plan(strategy, n);
      if (!at) continue;
      reports::PlanRow row{.label = text(strategy, ", n = ", n)};
      for (const int64_t block : shown.run.sweep.plans[*at].removed)
        row.removed.push_back(static_cast<int>(block));
      figure.rows.push_back(std::move(row));
    }
  return figure;
}

}  // namespace plumb::harness
