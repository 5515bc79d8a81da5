#include "harness/presentation/curves.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/statistics/agreement.h"
#include "base/statistics/curve_fit.h"
#include "base/statistics/logistic_fit.h"
#include "base/statistics/simultaneous.h"

namespace plumb::harness {

namespace {

void put_band(const SimultaneousBand& band, MeasuredCurve& out) {
  for (size_t i = 0; i < band.mean.size(); ++i) {
    if (band.error[i] == 0) continue;
    out.low[i] = band.low(i), out.high[i] = band.high(i);
  }
}

/// Each unit's part of an accuracy: of a question its answer; of a passage what makes the mean over passages the accuracy.
std::vector<double> units_of(const AnsweredTask& a, size_t plan, double accuracy) {
  const auto& right = a.right[plan];
  if (a.role != ClusterRole::kSample) return {right.begin(), right.end()};
  const auto clusters = 1 + *std::max_element(a.clusters.begin(), a.clusters.end());
  std::vector<double> out(static_cast<size_t>(clusters), accuracy);
  const double scale = static_cast<double>(clusters) / static_cast<double>(right.size());
  for (size_t q = 0; q < right.size(); ++q)
    out[static_cast<size_t>(a.clusters[q])] += scale * (right[q] - accuracy);
  return out;
}

/// The centre of a logistic, of a falling curve or a rising one.
double centre_of(const std::vector<double>& x, std::vector<double> y) {
  if (y.back() > y.front())
    for (double& value : y) value = -value;
  return LogisticFitter(x, {}).fit(y).centre;
}

std::vector<MeasuredCurve> measured(const Shown& shown, const std::string& quantity) {
  std::vector<MeasuredCurve> out;
  if (quantity == "loss") {
    for (const std::string& strategy : shown.run.experiment.strategies)
      out.push_back(loss_curve(shown, strategy));
    return out;
  }
  for (const AccuracySummary* s : first_metrics(shown.run.accuracy))
    if (s->answered.task == quantity)
      for (const AccuracyCurve& curve : s->curves)
        if (shown.is_compared(curve.strategy))
          out.push_back(accuracy_curve(*s, curve, shown.options));
  return out;
}

double number_of(const std::string& cell, const std::string& file, size_t line) {
  try {
    size_t used = 0;
    const double value = std::stod(cell, &used);
    if (used == cell.size() && std::isfinite(value)) return value;
  } catch (const std::exception&) {
  }
  throw Error(ErrorKind::kInput, text("'", printable(file), "' line ", line, ": '", printable(cell),
                                      "' is no finite number"));
}

}  // namespace

MeasuredCurve loss_curve(const Shown& shown, const std::string& strategy) {
  std::map<int64_t, size_t> plans;
  for (size_t i = 0; i < shown.run.sweep.plans.size(); ++i)
    if (shown.run.sweep.plans[i].strategy == strategy)
      plans.emplace(shown.run.sweep.plans[i].removed_count(), i);
  MeasuredCurve out{.strategy = strategy};
  std::vector<std::vector<double>> samples;
  const double most = std::log(static_cast<double>(shown.run.sweep.vocabulary_size));
  for (const auto& [n, plan] : plans) {
    const PlanLoss& loss = shown.losses[plan];
    out.fractions.push_back(static_cast<double>(n) / static_cast<double>(shown.blocks()));
    out.values.push_back(loss.normalised);
    out.low.push_back(loss.interval.low);
    out.high.push_back(loss.interval.high);
    samples.push_back(shown.run.sweep.losses.loss_nats[plan]);
    for (double& value : samples.back()) value /= most;
  }
  if (!samples.empty() && samples.front().size() > 1)
    put_band(simultaneous_band(samples, shown.options.draws, shown.options.seed), out);
  return out;
}

MeasuredCurve accuracy_curve(const AccuracySummary& s, const AccuracyCurve& curve,
                             const BootstrapOptions& options) {
  constexpr int64_t kDraws = 2000;  // as those of the summary: questions are many
  MeasuredCurve out{.strategy = curve.strategy};
  std::vector<std::vector<double>> samples;
  for (const size_t plan : curve.plans) {
    out.fractions.push_back(s.fraction(plan));
    out.values.push_back(s.plans[plan].accuracy);
    out.low.push_back(s.plans[plan].interval.low);
    out.high.push_back(s.plans[plan].interval.high);
    samples.push_back(units_of(s.answered, plan, s.plans[plan].accuracy));
  }
  if (samples.front().size() > 1)
    put_band(simultaneous_band(samples, std::min(kDraws, options.draws), options.seed), out);
  for (size_t i = 0; i < out.low.size(); ++i) {
    out.low[i] = std::max(0.0, out.low[i]);
    out.high[i] = std::min(1.0, out.high[i]);
  }
  return out;
}

reports::Series series_of(const MeasuredCurve& curve, const std::string& label) {
  reports::Series series{.label = label};
  for (size_t i = 0; i < curve.fractions.size(); ++i)
    series.points.push_back({.x = curve.fractions[i],
                             .y = curve.values[i],
                             .low = curve.low[i],
                             .high = curve.high[i]});
  return series;
}

reports::Series series_of(const PublishedCurve& curve) {
  reports::Series series{.label = curve.label, .dashed = true};
  for (size_t i = 0; i < curve.fractions.size(); ++i) {
    reports::Point point{.x = curve.fractions[i], .y = curve.values[i]};
    if (!curve.half_widths.empty() && curve.half_widths[i] > 0) {
      point.low = point.y - curve.half_widths[i];
      point.high = point.y + curve.half_widths[i];
    }
    series.points.push_back(point);
  }
  return series;
}

std::optional<CurveAgreement> agreement_of(const MeasuredCurve& measured,
                                           const PublishedCurve& other) {
  std::vector<double> ours, theirs;
  CurveAgreement out;
  if (measured.fractions.empty()) return std::nullopt;
  for (size_t i = 0; i < other.fractions.size(); ++i) {
    const double x = other.fractions[i];
    if (x < measured.fractions.front() || x > measured.fractions.back()) continue;
    const auto at = [&](const std::vector<double>& values) {
      return interpolated(measured.fractions, values, x);
    };
    ours.push_back(at(measured.values));
    theirs.push_back(other.values[i]);
    const double half = other.half_widths.empty() ? 0 : other.half_widths[i];
    out.outside +=
        other.values[i] + half < at(measured.low) || other.values[i] - half > at(measured.high);
  }
  if (ours.empty()) return std::nullopt;
  out.points = std::ssize(ours);
  const Agreement found = agreement(ours, theirs);
  out.rmse = found.rmse;
  out.concordance = found.concordance;
  if (measured.fractions.size() >= kLeastPoints && other.fractions.size() >= kLeastPoints)
    out.f0_difference =
        centre_of(measured.fractions, measured.values) - centre_of(other.fractions, other.values);
  return out;
}

std::vector<PublishedCurve> other_curves(const Shown& shown, const std::string& quantity) {
  std::vector<PublishedCurve> out = published_curves(quantity);
  for (const PublishedCurve& curve : shown.given)
    if (curve.quantity == quantity) out.push_back(curve);
  return out;
}

reports::Table agreement_table(const Shown& shown) {
  reports::Table table{.id = "agreement",
                       .title = "Agreement with other curves",
                       .caption =
                           "Measured curves of this run against published ones of other models and "
                           "programs, and against those that "
                           "were given: at the other's fractions within the measured range, "
                           "measured values on the line between "
                           "neighbours. RMSE and Lin's concordance (1: equal at every point); f0: "
                           "centre of a logistic, "
                           "measured less the other's. Outside: points whose own interval lies "
                           "wholly outside of the measured band, "
                           "95 % over the whole curve at once.",
                       .columns = {"quantity", "curve", "strategy", "points", "RMSE", "concordance",
                                   "f0", "outside"},
                       .numeric = {false, false, false, true, true, true, true, true}};
  std::vector<PublishedCurve> others = published_curves();
  others.insert(others.end(), shown.given.begin(), shown.given.end());
  for (const PublishedCurve& other : others)
    for (const MeasuredCurve& curve : measured(shown, other.quantity))
      if (const auto found = agreement_of(curve, other))
        table.rows.push_back(
            {other.quantity, other.label, curve.strategy, text(found->points),
             number_text(found->rmse, 3), number_text(found->concordance, 3),
             found->f0_difference ? number_text(*found->f0_difference, 2) : "fewer than 5 points",
             text(found->outside)});
  return table;
}

PublishedCurve read_curve(const std::string& file, const std::string& quantity) {
  const auto refuse = [&](size_t line, const std::string& why) {
    throw Error(ErrorKind::kInput, text("'", printable(file), "' line ", line, ": ", why));
  };
  std::vector<std::vector<std::string>> rows;
  try {
    rows = parse_csv(read_file(file));
  } catch (const Error& error) {
    throw error.within(printable(file));
  }
  if (rows.empty() || rows[0] != std::vector<std::string>{"fraction", "value", "half-width"})
    refuse(1, "needed the header 'fraction,value,half-width'");
  PublishedCurve curve{.label = std::filesystem::path(file).stem().string(),
                       .quantity = quantity,
                       .source = std::filesystem::path(file).filename().string()};
  for (size_t i = 1; i < rows.size(); ++i) {
    const double fraction = number_of(rows[i][0], file, i + 1);
    const double half = rows[i][2].empty() ? 0 : number_of(rows[i][2], file, i + 1);
    if (fraction < 0 || fraction > 1)
      refuse(i + 1, text("the fraction is ", fraction, ", needed 0 to 1"));
    if (half < 0) refuse(i + 1, text("the half-width is ", half, ", needed 0 or more"));
    if (!curve.fractions.empty() && fraction <= curve.fractions.back())
      refuse(i + 1, "fractions must rise from line to line");
    curve.fractions.push_back(fraction);
    curve.values.push_back(number_of(rows[i][1], file, i + 1));
    curve.half_widths.push_back(half);
  }
  if (curve.fractions.empty()) refuse(2, "there is no point, needed one or more");
  return curve;
}

std::vector<Verdict> judge_curves(const Shown& shown, const std::vector<PublishedCurve>& given) {
  std::vector<Verdict> out;
  for (size_t i = 0; i < given.size(); ++i) {
    const PublishedCurve& other = given[i];
    Verdict v;
    v.claim = text("given-curve-", i + 1);
    v.title = text("The ", other.quantity, " follows the curve ", other.label);
    v.statement =
        "Every point of the given curve that lies in the measured range is within the measured "
        "band, or its own "
        "half-width reaches it, for one strategy at least. The band is 95 % over the whole curve "
        "at once: "
        "max-T over resamples of whole documents or questions.";
    v.source = other.source;
    int64_t least = -1;
    std::string found;
    for (const MeasuredCurve& curve : measured(shown, other.quantity)) {
      const auto agreement = agreement_of(curve, other);
      if (!agreement) continue;
      if (least < 0 || agreement->outside < least) least = agreement->outside;
      found += text(found.empty() ? "" : "; ", curve.strategy, ": ",
                    agreement->points - agreement->outside, " of ", agreement->points,
                    " points agree, RMSE ", number_text(agreement->rmse, 3), ", concordance ",
                    number_text(agreement->concordance, 3));
      if (agreement->f0_difference)
        found += text(", f0 differs by ", number_text(*agreement->f0_difference, 2));
      const std::vector<Dimension> where = {{"curve", other.label}, {"strategy", curve.strategy}};
      for (const auto& [name, value] : {std::pair("curve_rmse", agreement->rmse),
                                        std::pair("curve_concordance", agreement->concordance)})
        v.evidence.push_back({.name = name, .dimensions = where, .value = value, .unit = "1"});
      v.evidence.push_back({.name = "curve_points_outside",
                            .dimensions = where,
                            .value = agreement->outside,
                            .unit = "points"});
    }
    if (least < 0)
      not_run(v,
              text("this run has no curve of '", other.quantity, "' in the range of the given one"),
              "name loss, or a task that the run asked");
    else
      decide(v, least == 0 ? VerdictKind::kPass : VerdictKind::kFail, found,
             least == 0 ? "" : "see where the curves part in the figure");
    out.push_back(std::move(v));
  }
  return out;
}

}  // namespace plumb::harness
