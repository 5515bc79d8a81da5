#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/record.h"

namespace plumb {

/// The one enumeration of outcomes. A thing that could not run is kNotRun, never a pass.
enum class VerdictKind { kPass, kFail, kInconclusive, kNotRun, kIncomparable, kInvalid };

/// "PASS", "FAIL", "INCONCLUSIVE", "NOT RUN", "INCOMPARABLE", "INVALID".
std::string_view verdict_name(VerdictKind kind);

/// What was claimed, what was found and what follows.
struct Verdict {
  std::string claim;      ///< stable identifier, such as "residual-reconnection"
  std::string title;      ///< for people
  std::string statement;  ///< what is claimed, with statistic, null hypothesis and tolerance
  std::string source;     ///< where the claim comes from
  VerdictKind kind = VerdictKind::kNotRun;
  std::string reason;     ///< why this verdict, with the numbers that decided
  std::string next_step;  ///< what to do about it; empty after a pass
  std::vector<Record> evidence;
  bool required = false;  ///< the experiment demands it: NOT RUN then counts as INCONCLUSIVE
  std::string excused =
      {};  ///< why it does not count, such as "waived until 2026-12-31: known"; empty: it does
};

/// Exit code of a set of verdicts: any FAIL 1, else INCOMPARABLE or INVALID 7, else INCONCLUSIVE
/// (or a required claim that did not run) 3, else 0. Those that are excused do not count.
int exit_code(const std::vector<Verdict>& verdicts);

}  // namespace plumb
