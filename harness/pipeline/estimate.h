#pragma once

#include <cstdint>
#include <vector>

#include "harness/experiment/experiment.h"
#include "harness/pipeline/machine_speed.h"
#include "harness/pipeline/memory_plan.h"
#include "harness/pipeline/question_work.h"
#include "models/config.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// The plans that a sweep will have, as far as they are known before a profile: similarity's as if l*(n) were
/// 0.7 (L - n), which is where published ones lie.
std::vector<pruning::PruningPlan> likely_plans(const Experiment& experiment, int64_t block_count);

/// The work of a run, from a model's config alone.
struct Work {
  int64_t plans = 0;
  int64_t block_evaluations = 0;
  double profile_flops = 0;  ///< of blocks
  double sweep_flops = 0;    ///< of blocks
  double loss_flops = 0;     ///< of the head, in the sweep
  QuestionWork questions;
  double question_flops = 0;  ///< of blocks
  double answer_flops = 0;    ///< of the head, for the questions
  int64_t healed_plans = 0;
  double heal_tokens = 0;      ///< that are trained on, in all
  double heal_flops = 0;       ///< of blocks and head, forward and back
  double healed_flops = 0;     ///< of blocks and head, to measure what was healed
  uint64_t heal_bytes = 0;     ///< what a training holds, beside the process itself
  double prefill_flops = 0;    ///< of blocks, when cost is measured
  double decode_bytes = 0;     ///< of blocks' weights, read token after token
  int64_t configurations = 0;  ///< whose cost is measured
};
Work work_of(const Experiment& experiment, const models::ModelConfig& config);

/// Seconds of each stage. Blocks that are streamed are read while others are computed, so that the slower of both counts.
struct Times {
  double load = 0;
  double profile = 0;
  double sweep = 0;
  double questions = 0;
  double heal = 0;  ///< trainings, and measuring what was healed
  double cost = 0;  ///< 0 where a streamed model's is not measured
};
Times times_of(const Work& work, const MachineSpeed& speed, const MemoryPlan& memory,
               uint64_t file_bytes, double disk_bytes_per_second);

/// What the memory is asked for: plan_memory's input.
MemoryNeeds memory_needs(const Experiment& experiment, const models::ModelConfig& config,
                         const pruning::DepthTrie& trie, uint64_t baseline_bytes);

}  // namespace plumb::harness
