#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/experiment/experiment.h"

namespace plumb::harness {

/// What one child process measures: one plan, one length of prompts, one number of them.
struct ChildRequest {
  std::vector<int64_t> removed;  ///< blocks, ascending
  int64_t context = 256;         ///< tokens of a prompt
  int64_t batch = 1;             ///< prompts that run together
  int64_t tokens = 64;           ///< written after each, the first one included
  int64_t repetitions = 5;
  std::string prompts_file;  ///< JSON [[id, ..], ..]; empty: drawn by the experiment's seed
  bool read_speed = false;   ///< measures the memory's as well
};

/// Loads the model without the removed blocks, in this process, times it and reads its memory. The result is what
/// `plumb measure-child` prints; harness/pipeline/measured.h reads it.
nlohmann::ordered_json measure_child(const Experiment& experiment, const ChildRequest& request);

}  // namespace plumb::harness
