#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "base/verdict.h"
#include "harness/cli/command.h"

namespace plumb::harness {

/// {"exit_code", "verdicts": [{claim, verdict, reason, next_step}]}.
nlohmann::ordered_json verdicts_json(const std::vector<Verdict>& verdicts);

/// The code that --inconclusive asks for. Error{kUsage} for others than 0, 1 and 3.
int inconclusive_code(const Arguments& arguments);

}  // namespace plumb::harness
