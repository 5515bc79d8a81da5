#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "harness/gate/gate.h"

namespace plumb::harness {

/// What both sides say about one tolerance before the other findings are known. Numbers are on the scale on which the test
/// was made (nats, shares, logarithms of times): `finding` has those that people read.
struct Evidence {
  Finding finding;
  /// In the direction in which the metric gets worse, less what the tolerance allows: within where below 0.
  double beyond = 0;
  double low = 0, high = 0;              ///< bounds of `beyond`, each of level 1 - alpha
  std::optional<double> deviation = {};  ///< of one sample: what divides by sqrt(samples)
  bool deviation_is_bound = false;       ///< it is an upper bound already
  double distance = 0;                   ///< from no change to the tolerance, on the same scale
  int64_t least_samples = 2;             ///< below these no test can decide
  bool refused = false;                  ///< the verdict stands
  /// Of times: `deviation` is one run's, and Finding::runs are the samples.
  struct OverRuns {
    int64_t degrees = 0;  ///< of freedom behind the deviation; 0: one run of each side, no bounds
    double repeated = 0;  ///< lower bound of `beyond` without the candidate's slowest run
    bool interleaved = false;
  };
  std::optional<OverRuns> over_runs = {};
};

/// A metric that a tolerance can name.
struct Metric {
  std::string name;    ///< as in the tolerance, without task or text: "loss", "acc", "decode.tok_s"
  std::string record;  ///< of the series
  std::string unit;
  int worse = 1;  ///< +1: greater is worse; 0: both directions
  enum class Kind { kDocuments, kAnswers, kTimes, kBytes, kEstimate } kind = Kind::kDocuments;
  bool per_second = false;  ///< tokens per second of a series in ms
};
/// "mmlu.acc" is the metric acc of "mmlu". None for a name that is none.
struct NamedMetric {
  Metric metric;
  std::string of;  ///< the task or text, "*", or empty
};
std::optional<NamedMetric> find_metric(const std::string& name);
/// "loss, TEXT.loss, kl, ...".
std::string known_metrics();

struct GateContext {
  const GateSnapshot& baseline;
  const GateSnapshot& candidate;
  const GateOptions& options;
  double alpha = 0.05;
};

/// Evidence of every tolerance: one for each task and plan that it names. Error{kUsage} for a metric that is none or that
/// gets worse in the other direction.
std::vector<Evidence> evidence_for(const GateContext& context,
                                   const std::vector<Tolerance>& tolerances);

/// Evidence of one metric. `tolerance` names one plan, and one task where the metric has any.
Evidence document_evidence(const GateContext& context, const NamedMetric& metric,
                           const Tolerance& tolerance);
Evidence answer_evidence(const GateContext& context, const NamedMetric& metric,
                         const Tolerance& tolerance);
Evidence time_evidence(const GateContext& context, const NamedMetric& metric,
                       const Tolerance& tolerance);
Evidence byte_evidence(const GateContext& context, const NamedMetric& metric,
                       const Tolerance& tolerance);
Evidence estimate_evidence(const GateContext& context, const NamedMetric& metric,
                           const Tolerance& tolerance);

/// Fills `enough`, `more` and the verdict of an evidence that is not refused. `tests` is the number in Holm's family.
void decide_evidence(Evidence& evidence, double alpha, int64_t tests);

/// "the tolerance of +1 %".
std::string limit_text(const Tolerance& tolerance);

/// The numbers of a plan that differ from run to run; null where there are none.
const RepeatedSeries* find_repeated(const GateSnapshot& side, const std::string& record,
                                    const std::string& plan);
/// INCOMPARABLE where times and peaks were not measured in one way on one machine.
std::optional<Evidence> other_machine(const GateContext& context, const Tolerance& tolerance);

/// A finding whose verdict stands without any number.
Evidence refused(const Tolerance& tolerance, VerdictKind kind, const std::string& reason,
                 const std::string& next_step);
/// NOT RUN: which side lacks it, with the reason that its run gives.
Evidence missing(const GateContext& context, const NamedMetric& metric, const Tolerance& tolerance,
                 bool in_baseline, bool in_candidate);

/// Direction in which it gets worse; a sign that the tolerance gives to a metric without one included.
inline int worse_direction(const Metric& metric, const Tolerance& tolerance) {
  return metric.worse != 0 ? metric.worse : tolerance.sign;
}

/// "similarity:7"; n = 0 has one name in all strategies.
bool is_plan(const std::string& series_plan, const std::string& asked);

}  // namespace plumb::harness
