#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/gate/gate.h"

namespace plumb::harness {

/// Both sides of a gate with what it found, as gate.json has them (schema/gate.schema.json). A number that does not exist
/// is null; why, the reason of its verdict says.
nlohmann::ordered_json gate_json(const GateResult& result, const GateSnapshot& baseline,
                                 const GateSnapshot& candidate, int exit_code);

/// gate.md: for a pull request or a job's summary. Names from files are shown, and do nothing.
std::string gate_markdown(const GateResult& result, const GateSnapshot& baseline,
                          const GateSnapshot& candidate, int exit_code);

/// The table that people read, a line each.
std::vector<std::string> gate_lines(const GateResult& result);

}  // namespace plumb::harness
