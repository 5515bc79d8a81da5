#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/gate/snapshot.h"

namespace plumb::harness {

/// A baseline file's text: JSON of schema/baseline.schema.json with sorted keys, a series and a question a line, so that a
/// change is a change of few lines in git. Samples and the answer to each question are kept, not their means. The same
/// snapshot gives the same bytes. Error{kInvariant} for a number that is not finite.
std::string baseline_text(const GateSnapshot& snapshot);

/// Error{kInput} with the place: no such file, cut short, of a newer major version, series and documents of unequal
/// lengths, answers that are not 0 and 1, a question twice.
GateSnapshot parse_baseline(std::string_view json);

/// What becomes other when `before` is replaced by `after`: a line for each fact, series and set of answers, such as
/// "loss_nats simple:0: 2.918 -> 2.941 (+0.79 %)". None: the same.
std::vector<std::string> baseline_changes(const GateSnapshot& before, const GateSnapshot& after);

}  // namespace plumb::harness
