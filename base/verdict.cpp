#include "base/verdict.h"

#include <algorithm>

namespace plumb {

std::string_view verdict_name(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kPass:
      return "PASS";
    case VerdictKind::kFail:
      return "FAIL";
    case VerdictKind::kInconclusive:
      return "INCONCLUSIVE";
    case VerdictKind::kNotRun:
      return "NOT RUN";
    case VerdictKind::kIncomparable:
      return "INCOMPARABLE";
    case VerdictKind::kInvalid:
      return "INVALID";
  }
  return "INVALID";
}

int exit_code(const std::vector<Verdict>& verdicts) {
  const auto any = [&](auto&& holds) {
    return std::any_of(verdicts.begin(), verdicts.end(),
                       [&](const Verdict& v) { return v.excused.empty() && holds(v); });
  };
  if (any([](const Verdict& v) { return v.kind == VerdictKind::kFail; })) return 1;
  if (any([](const Verdict& v) {
        return v.kind == VerdictKind::kIncomparable || v.kind == VerdictKind::kInvalid;
      }))
    return 7;
  if (any([](const Verdict& v) {
        return v.kind == VerdictKind::kInconclusive ||
               (v.kind == VerdictKind::kNotRun && v.required);
      }))
    return 3;
  return 0;
}

}  // namespace plumb
