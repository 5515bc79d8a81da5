// How far the distribution over the next token moves from the whole model's.

#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

using Measure = std::optional<MeasuredMean> PlanLoss::*;

void add_series(reports::LineFigure& figure, const Shown& shown, Measure measure) {
  for (const std::string& strategy : shown.run.experiment.strategies) {
    reports::Series series{.label = strategy};
    for (size_t i = 0; i < shown.run.sweep.plans.size(); ++i) {
      const auto& plan = shown.run.sweep.plans[i];
      const auto& measured = shown.losses[i].*measure;
      if (plan.strategy != strategy || !measured) continue;
      series.points.push_back(
          {.x = static_cast<double>(plan.removed_count()) / static_cast<double>(shown.blocks()),
           .y = measured->mean,
           .low = measured->interval.low,
           .high = measured->interval.high});
    }
    figure.series.push_back(std::move(series));
  }
}

std::string positions_text(const Shown& shown) {
  return text(shown.run.sweep.losses.positions_per_document, " positions of each of ",
              shown.run.sweep.text.documents.size(), " documents of ", shown.run.sweep.text.file,
              ", those of the loss; bars: 95 % by document.");
}

}  // namespace

reports::LineFigure divergence_figure(const Shown& shown) {
  reports::LineFigure figure{
      .id = "divergence",
      .title = "Distance of the pruned model's predictions from the whole model's",
      .caption = text("Mean KL(whole || pruned) of the next token's distribution, nats; 0 is the "
                      "whole model itself. ",
                      positions_text(shown)),
      .x_label = "fraction of blocks removed, n / L",
      .y_label = "KL, nats",
      .x_is_fraction = true,
      .y_low = 0};
  add_series(figure, shown, &PlanLoss::divergence_nats);
  return figure;
}

reports::LineFigure same_top_figure(const Shown& shown) {
  reports::LineFigure figure{.id = "same-top",
                             .title = "How often is the likeliest token still the whole model's?",
                             .caption = positions_text(shown),
                             .x_label = "fraction of blocks removed, n / L",
                             .y_label = "share of positions",
                             .x_is_fraction = true,
                             .y_low = 0,
                             .y_high = 1};
  add_series(figure, shown, &PlanLoss::same_top);
  return figure;
}

}  // namespace plumb::harness
