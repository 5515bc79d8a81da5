#pragma once

#include <string>
#include <vector>

#include "base/statistics/bootstrap.h"
#include "harness/pipeline/accuracy_summary.h"
#include "harness/presentation/presentation.h"
#include "harness/verify/published.h"

namespace plumb::harness {

/// A measured curve over the fraction of blocks removed, with a band that holds all of it at once.
struct MeasuredCurve {
  std::string strategy = {};
  std::vector<double> fractions = {};  ///< rising
  std::vector<double> values = {};
  std::vector<double> low = {}, high = {};  ///< simultaneous, 95 %, max-T
};

/// Normalised losses of a strategy's plans; resampled are documents. Of fewer than 2 documents the intervals are the points'.
MeasuredCurve loss_curve(const Shown& shown, const std::string& strategy);
/// Accuracies; resampled are questions, or passages where they share one. Where all questions have the same answer at a point,
/// its own interval stands in.
MeasuredCurve accuracy_curve(const AccuracySummary& summary, const AccuracyCurve& curve,
                             const BootstrapOptions& options);
reports::Series series_of(const MeasuredCurve& curve, const std::string& label);
reports::Series series_of(const PublishedCurve& curve);

/// Published curves of a quantity and those that were given.
std::vector<PublishedCurve> other_curves(const Shown& shown, const std::string& quantity);

/// How far a measured curve and another agree: at the other's fractions within the measured range, on the line between
/// measured neighbours.
struct CurveAgreement {
  int64_t points = 0;
  double rmse = 0, concordance = 0;
  std::optional<double>
      f0_difference;  ///< measured less the other's, where both have 5 points or more
  /// Of the points: those whose own interval lies wholly outside of the measured band there.
  int64_t outside = 0;
};
/// None where no point of the other lies in the measured range.
std::optional<CurveAgreement> agreement_of(const MeasuredCurve& measured,
                                           const PublishedCurve& other);

/// A table of them: every curve that is measured against every one that is published or given.
reports::Table agreement_table(const Shown& shown);

/// A user's curve: a CSV file with the header fraction,value,half-width. Fractions rise within 0..1; half-width may be empty.
/// `quantity` is loss or a task. Error{kInput} with the line.
PublishedCurve read_curve(const std::string& file, const std::string& quantity);

/// One verdict for each given curve: PASS where every point agrees with a measured curve's band, by its best strategy; FAIL where
/// none does; NOT RUN where the run has no such curve.
std::vector<Verdict> judge_curves(const Shown& shown, const std::vector<PublishedCurve>& given);

}  // namespace plumb::harness
