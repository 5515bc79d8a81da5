#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

void judge_reconnection(const Measurements& m, Verdict& v) {
  if (m.reconnection == nullptr || m.reconnection->checks.empty())
    return not_run(v, "no comparison was made", "run `plumb run`, which makes them");
  std::string differing, missing;
  int64_t compared = 0;
  for (const EqualityCheck& check : m.reconnection->checks) {
    Record record{.name = "values_differing",
                  .dimensions = {{"check", check.name}},
                  .value = check.differing,
                  .unit = "values",
                  .higher_is_better = false};
    if (!check.not_run.empty()) {
      record.value = std::monostate{};
      record.absent_reason = check.not_run;
      missing += text(missing.empty() ? "" : "; ", check.name, ": ", check.not_run);
    }
    if (check.differing > 0)
      differing += text(differing.empty() ? "" : "; ", check.name, ": ", check.differing, " of ",
                        check.compared, " values (", check.detail, "), by at most ",
                        number_text(check.largest_difference));
    compared += check.compared;
    v.evidence.push_back(std::move(record));
  }
  if (!differing.empty())
    return decide(v, VerdictKind::kFail, "other bits: " + differing,
                  "do not trust any number of this run; report it with provenance.json");
  if (!missing.empty())
    return decide(v, VerdictKind::kInconclusive, "not all comparisons could be made: " + missing,
                  "remove the reason and run again");
  decide(v, VerdictKind::kPass,
         text(compared, " values of ", m.reconnection->checks.size(),
              " comparisons are equal to the last bit"));
}

}  // namespace plumb::harness
