#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/record.h"
#include "base/verdict.h"
#include "harness/gate/snapshot.h"
#include "harness/gate/tolerance.h"

namespace plumb::harness {

struct GateOptions {
  std::string today;         ///< UTC, 2026-12-31: waivers whose day is past do not hold
  bool same_model = false;   ///< a candidate with other weights is INCOMPARABLE
  bool interleaved = false;  ///< both sides were measured together: more runs are more rounds
  int64_t draws = 10000;     ///< of the bootstrap
  uint64_t seed = 0;
};

/// How many runs of each side times are of.
struct RunCounts {
  int64_t baseline = 0, candidate = 0;
};

/// One tolerance on one metric of one plan, held against both sides. Changes are the candidate's less the baseline's, or
/// relative to it; positive is greater, not worse.
struct Finding {
  Tolerance tolerance;  ///< metric and plan are those that it was resolved to
  std::string unit;     ///< of the values
  std::optional<double> baseline, candidate, change;
  std::optional<Interval>
      interval;  ///< of the change; its ends are one-sided bounds of level 1 - alpha
  std::optional<double>
      p;  ///< of "not beyond the tolerance"; none where nothing is drawn by chance
  std::optional<double> p_holm;   ///< over all findings that have one
  int64_t samples = 0;            ///< of each side, the lesser
  std::string sample;             ///< "document", "question", "run"
  std::optional<RunCounts> runs;  ///< of times
  std::optional<int64_t>
      enough;  ///< so many show no change within and twice the tolerance beyond it, each with power 0.8
  std::optional<int64_t> more;  ///< further ones that would decide an INCONCLUSIVE
  std::optional<double>
      noise_floor;  ///< what two runs of the baseline differ by at most, as the change
  Verdict verdict;
};

struct GateResult {
  std::vector<Finding> findings;
  std::vector<std::string> notes;  ///< an expired waiver, another model, what was left out
  double alpha = 0.05;
  int64_t tests = 0;  ///< findings with a p: Holm's family
};

/// Holds every tolerance of `config` against both sides.
///
/// PASS: the far bound of the change lies within the tolerance. FAIL: the near bound lies beyond it and p, after Holm over all
/// tests of this gate, is at most alpha. Times are compared by run, not by repetition; their FAIL needs at least two runs
/// of the candidate, and must show without the slowest of them: a flag must repeat. Sizes in bytes have no p: the
/// largest of each side decide. INCONCLUSIVE: neither; so are times of one run of each. INCOMPARABLE: another text, protocol,
/// architecture or vocabulary; of times and peaks, another machine. INVALID: a tolerance of losses or sizes that is not above
/// what runs of the baseline differ by, one of times that is 0, or a run that is not to be believed. NOT RUN, and
/// required, where a metric is missing.
GateResult judge_gate(const GateSnapshot& baseline, const GateSnapshot& candidate,
                      const GateConfig& config, const GateOptions& options);

/// Code of contracts: any FAIL that counts 1, else INCOMPARABLE or INVALID 7, else INCONCLUSIVE or a required NOT RUN
/// `inconclusive`, else 0; 3 where nothing at all was tested, whatever `inconclusive` is.
int gate_exit_code(const GateResult& result, int inconclusive);

/// Verdicts as the reports know them.
std::vector<Verdict> verdicts_of(const GateResult& result);

}  // namespace plumb::harness
