#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/pipeline/evaluation.h"
#include "harness/pipeline/session.h"
#include "harness/pipeline/sweep_plans.h"

namespace plumb::harness {

/// Versions and the CPU's capability, on which every number may depend.
void add_software(nlohmann::ordered_json& key, const std::string& device = "cpu");

/// Everything that decides the numbers of a sweep's steps, by names that a message can use:
/// versions, the CPU's capability, hashes of model, tokenizer and data, how they are cut and
/// packed, and the plans. Not in it: what changes no bit of a step (the memory limit) and what is
/// done when all steps are there (resamples).
nlohmann::ordered_json work_key(Session& session, const SweepPlans& chosen,
                                const std::vector<AskedTask>& asked, bool documents);

/// The same with what plans are chosen from in the place of the plans, which take a profile: for who has to know whether
/// results stand before any work. `plans_csv` as of choose_plans.
nlohmann::ordered_json inputs_key(Session& session, const std::optional<std::string>& plans_csv,
                                  const std::vector<AskedTask>& asked, bool documents);

}  // namespace plumb::harness
