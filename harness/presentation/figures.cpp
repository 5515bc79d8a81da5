#include <algorithm>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/experiment/embedded.h"
#include "harness/presentation/curves.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

std::string text_caption(const TextFacts& facts) {
  return text(facts.documents.size(), " documents of ", facts.token_count, " tokens from ",
              facts.file);
}

/// Where the paper's text says that the accuracy of other models collapses.
std::vector<reports::Band> collapse_bands() {
  std::vector<reports::Band> bands;
  const auto file = parse_json(collapse_fractions_json());
  for (const auto& band : file.at("bands")) {
    const double low = band.at("low"), high = band.at("high");
    if (low < high)
      bands.push_back(
          {.label = text("MMLU collapse, ", band.at("model").get<std::string>(), " (paper)"),
           .low = low,
           .high = high});
  }
  return bands;
}

}  // namespace

std::optional<double> loss_ceiling(const reports::LineFigure& figure) {
  constexpr double kCeiling = 2.5, kGuess = 1;
  if (figure.series.empty() || figure.series.front().points.empty() ||
      figure.series.front().points.front().y > kGuess)
    return std::nullopt;  // a model that knows nothing at its best: what there is to see is above
  for (const reports::Series& series : figure.series)
    for (const reports::Point& point : series.points)
      if (point.y > kCeiling) return kCeiling;
  return std::nullopt;
}

reports::LineFigure loss_figure(const Shown& shown) {
  reports::LineFigure figure{.id = "loss",
                             .title = "Loss against the fraction of blocks removed",
                             .x_label = "fraction of blocks removed, n / L",
                             .y_label = "loss / ln V",
                             .x_is_fraction = true};
  for (const std::string& strategy : shown.run.experiment.strategies)
    figure.series.push_back(series_of(loss_curve(shown, strategy), strategy));
  for (const PublishedCurve& curve : other_curves(shown, "loss"))
    figure.series.push_back(series_of(curve));
  figure.references = {{.label = "random guess", .value = 1}};
  figure.bands = collapse_bands();
  figure.y_low = 0;
  figure.y_high = loss_ceiling(figure);
  figure.caption = text(
      "Mean loss per predicted token in nats, divided by ln V; 0 is certain and right, 1 is a "
      "uniform guess. ",
      text_caption(shown.run.sweep.text), ", ", shown.run.sweep.losses.positions_per_document,
      " positions each. Bands: 95 % over the whole curve at once (max-T, whole documents "
      "resampled); "
      "the intervals of single plans are in the table of losses. Dashed: published curves of "
      "other, "
      "larger models, not healed either, removed block by block where the loss rises least (SLEB) "
      "or by "
      "block influence (ShortGPT, whose text for perplexity is not named). Shaded: where, in the "
      "paper's "
      "text, the MMLU accuracy of other, healed models collapses."
      " Not healed, so this curve has no verdict: the paper's claim of continuity is about healed "
      "models.");
  return figure;
}

reports::HeatFigure distance_figure(const Shown& shown) {
  reports::HeatFigure figure{
      .id = "distances",
      .title = "Angular distance between the inputs of block l and block l + n",
      .row_label = "n, blocks removed",
      .column_label = "l, first removed block",
      .first_row = 1,
      .rows = static_cast<int>(shown.blocks()),
      .columns = static_cast<int>(shown.blocks()),
      .normalise_rows = true,
      .value_label = "angular distance, half turns",
      .mark_label = "l*(n), the least of its row"};
  const auto& starts = shown.run.plans.starts;
  for (const PairDistance& pair : shown.pairs) {
    const bool best = std::any_of(starts.begin(), starts.end(), [&](const auto& start) {
      return start.n == pair.n && start.first == pair.l;
    });
    figure.cells.push_back(
        {.row = static_cast<int>(pair.n),
         .column = static_cast<int>(pair.l),
         .value = pair.mean,
         .marked = best,
         .tooltip =
             text("n = ", pair.n, ", l = ", pair.l, ": ", number_text(pair.mean), " [",
                  number_text(pair.interval.low), ", ", number_text(pair.interval.high), "]")});
  }
  figure.caption =
      text("At the last token of ", text_caption(shown.run.profile.text),
           ", before the final norm. Each row has its own range of colours, as in the paper's "
           "figure 4; the right end of a row is the pair that contains the last block.");
  return figure;
}

reports::LineFigure last_block_figure(const Shown& shown) {
  reports::LineFigure figure{
      .id = "last-block",
      .title = "Pairs that contain the last block",
      .caption =
          "Distance of the pair with l + n = L, before the final norm and after it, and "
          "the least distance of the same row. The paper does not say which it measured.",
      .x_label = "n, blocks removed",
      .y_label = "angular distance, half turns"};
  const auto points = [](const std::vector<PairDistance>& pairs, auto wanted) {
    std::vector<reports::Point> out;
    for (const PairDistance& pair : pairs)
      if (wanted(pair))
        out.push_back({.x = static_cast<double>(pair.n),
                       .y = pair.mean,
                       .low = pair.interval.low,
                       .high = pair.interval.high});
    return out;
  };
  const int64_t blocks = shown.blocks();
  const auto last = [&](const PairDistance& pair) { return pair.n + pair.l == blocks; };
  const auto best = [&](const PairDistance& pair) {
    return std::any_of(shown.run.plans.starts.begin(), shown.run.plans.starts.end(),
                       [&](const auto& s) { return s.n == pair.n && s.first == pair.l; });
  };
  figure.series = {
      {.label = "before the final norm", .points = points(shown.pairs, last)},
      {.label = "after the final norm", .points = points(shown.post_norm, last)},
      {.label = "least of the row, l*(n)", .points = points(shown.pairs, best), .dashed = true}};
  figure.y_low = 0;
  return figure;
}

reports::LineFigure stability_figure(const Shown& shown) {
  reports::LineFigure figure{.id = "stability",
                             .title = "How sure is the choice of l*(n)?",
                             .caption = text("Share of ", shown.options.draws,
                                             " resamples of the calibration documents with the "
                                             "same l*(n). A low share is a flat minimum: "
                                             "neighbouring starts are as good."),
                             .x_label = "n, blocks removed",
                             .y_label = "share of resamples",
                             .y_low = 0,
                             .y_high = 1};
  reports::Series series{.label = "same l*(n)"};
  for (const auto& start : shown.run.plans.starts)
    series.points.push_back({.x = static_cast<double>(start.n), .y = start.stability});
  figure.series = {std::move(series)};
  return figure;
}

}  // namespace plumb::harness
