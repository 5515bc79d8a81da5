#pragma once

#include <string>
#include <vector>

#include "harness/cli/console.h"
#include "harness/pipeline/results.h"
#include "harness/pipeline/session.h"

namespace plumb::harness {

/// The stages of a run. Each is a function of its inputs, the experiment's settings and its seed; none writes a result.

/// Distances of every (n, l) on the calibration text.
ProfileResult profile_stage(Session& session, const Console& console);

/// l*(n) for n = 1..L-1 with stability, and the plans of every strategy for every n of the sweep, in that order.
/// `profile` may be null where no strategy needs it; `starts` is then empty.
PlanResult plan_stage(const Experiment& experiment, int64_t block_count,
                      const ProfileResult* profile);

/// Loss of every plan on the validation text.
SweepResult sweep_stage(Session& session, const std::vector<pruning::PruningPlan>& plans,
                        const Console& console, const pruning::StepLog& log = {});

/// Why the cost cannot be measured under the memory limit, or empty. A model is timed in memory: to decode with one
/// that is streamed would measure the disk.
std::string cost_refusal(const Experiment& experiment, const models::ModelConfig& config);

/// Memory and latency of the `simple` plan for each n of cost.n, each in a child process: `program` is run with the
/// hidden command measure-one. Error{kResource} where a child dies, with what it said.
CostResult cost_stage(const Experiment& experiment, int64_t block_count, const std::string& program,
                      const Console& console);

/// One of them.
CostPoint cost_point(const Experiment& experiment, int64_t n, const std::string& program);

/// What the child does: loads the model without the n blocks, times it, reads its memory.
CostPoint measure_one(const Experiment& experiment, int64_t n);

/// Comparisons that must be equal to the last bit: pruned in memory against written and re-read, trie against plans
/// alone, and a planted identity block. Files go below `scratch` and are removed.
ReconnectionResult reconnection_stage(Session& session, const std::string& scratch,
                                      const Console& console);

/// The part that needs no model: a synthetic decoder with an identity block, which `similarity` must choose and whose
/// removal must leave the logits equal to the last bit. For `doctor --self-test` too.
std::vector<EqualityCheck> planted_identity_checks();

/// Differing values of two arrays of the same length.
EqualityCheck compare_bits(const std::string& name, const std::string& detail,
                           const std::vector<double>& a, const std::vector<double>& b);
EqualityCheck compare_bits(const std::string& name, const std::string& detail,
                           const std::vector<float>& a, const std::vector<float>& b);

}  // namespace plumb::harness
