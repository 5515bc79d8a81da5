#include <algorithm>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

constexpr double kMegabyte = 1e6;

double kept_fraction(const CostResult& cost, const CostPoint& point) {
  return 1 - static_cast<double>(point.n) / static_cast<double>(cost.block_count);
}

/// What all blocks of the whole model weigh, from the first configuration.
double all_block_bytes(const CostResult& cost) {
  const metrics::Cost& first = cost.points.front().cost;
  return static_cast<double>(first.block_bytes) / static_cast<double>(first.blocks) *
         static_cast<double>(cost.block_count);
}

reports::Point timed(const CostPoint& point, const std::vector<double>& samples) {
  const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
  return {.x = static_cast<double>(point.n), .y = median(samples), .low = *least, .high = *most};
}

}  // namespace

reports::LineFigure memory_figure(const Shown& shown) {
  const CostResult& cost = *shown.run.cost;
  const double blocks = all_block_bytes(cost);
  const metrics::Cost& first = cost.points.front().cost;
  const double kept_by_first = blocks * kept_fraction(cost, cost.points.front());
  reports::Series peak{.label = "peak resident memory"}, weights{.label = "weights"},
      predicted{.label = "prediction from n = " + std::to_string(cost.points.front().n),
                .dashed = true,
                .markers = false};
  for (const CostPoint& point : cost.points) {
    const auto x = static_cast<double>(point.n);
    peak.points.push_back(
        {.x = x, .y = static_cast<double>(point.cost.peak_resident_bytes) / kMegabyte});
    weights.points.push_back(
        {.x = x, .y = static_cast<double>(point.cost.weight_bytes) / kMegabyte});
    const double less = kept_by_first - blocks * kept_fraction(cost, point);
    predicted.points.push_back(
        {.x = x, .y = (static_cast<double>(first.peak_resident_bytes) - less) / kMegabyte});
  }
  const bool reset = cost.points.front().peak_excludes_loading;
  return {.id = "memory",
          .title = "Memory against blocks removed",
          .caption = text("Each configuration in a process of its own, which loads only the blocks "
                          "that stay; peak ",
                          reset ? "after loading" : "with loading",
                          ". Prediction: the first peak less the bytes of the blocks removed."),
          .x_label = "n, blocks removed",
          .y_label = "MB",
          .series = {peak, weights, predicted},
          .y_low = 0};
}

reports::LineFigure latency_figure(const Shown& shown, bool decode) {
  const CostResult& cost = *shown.run.cost;
  const auto samples = [&](const CostPoint& point) -> const std::vector<double>& {
    return decode ? point.cost.decode_ms_per_token : point.cost.prefill_ms;
  };
  reports::Series measured{.label = decode ? "decode" : "prefill"};
  reports::Series blocks{.label = "the blocks alone"};
  reports::Series predicted{
      .label = decode ? "1 - n / L of n = 0" : "1 - n / L of the blocks, and the rest",
      .dashed = true,
      .markers = false};
  const CostPoint& first = cost.points.front();
  const double whole = median(samples(first));
  const double of_blocks = decode ? whole : median(first.cost.prefill_blocks_ms);
  for (const CostPoint& point : cost.points) {
    measured.points.push_back(timed(point, samples(point)));
    if (!decode) blocks.points.push_back(timed(point, point.cost.prefill_blocks_ms));
    const double share = kept_fraction(cost, point) / kept_fraction(cost, first);
    predicted.points.push_back(
        {.x = static_cast<double>(point.n), .y = whole - of_blocks * (1 - share)});
  }
  reports::LineFigure figure{
      .id = decode ? "decode" : "prefill",
      .title =
          decode ? "Decoding time against blocks removed" : "Prefill time against blocks removed",
      .caption = text(
          "Median and range of ", samples(first).size(), " repetitions; ",
          decode ? text("batch 1, ", shown.run.experiment.decode_context, " tokens in the cache")
                 : text("batch 1, ", shown.run.experiment.prefill_tokens, " tokens"),
          ", ", shown.run.experiment.threads, " threads, ", shown.run.experiment.dtype,
          ". Loading and the first call are not in the timing."),
      .x_label = "n, blocks removed",
      .y_label = decode ? "ms per token" : "ms",
      .series = {measured},
      .y_low = 0};
  if (!decode) figure.series.push_back(blocks);
  figure.series.push_back(predicted);
  return figure;
}

}  // namespace plumb::harness
