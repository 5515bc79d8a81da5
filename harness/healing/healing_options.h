#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "healing/adapter.h"
#include "healing/schedule.h"
#include "models/decoder.h"
#include "models/origin.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// How documents become sequences of T tokens: one after the other, cut wherever T is reached; or those of at least T tokens,
/// cut to T.
enum class TextPacking { kConcatenated, kCut };
std::string packing_name(TextPacking packing);  ///< "concat", "cut"
/// The way back. Error{kUsage} beginning with `origin`, where the word came from.
TextPacking parse_packing(const std::string& word, const std::string& origin);

/// Everything that decides the numbers of a healing.
struct HealingOptions {
  std::string model;  ///< a path
  models::Origin model_origin;
  pruning::PruningPlan plan;
  std::string preset;  ///< of which some of the values are; or empty
  std::string documents;
  std::string validation;  ///< a file; empty: the last documents of `documents`
  int64_t max_tokens = 256;
  int64_t batch = 4;         ///< sequences of a product
  int64_t accumulation = 1;  ///< batches of a step
  int64_t steps = 200;
  healing::LoraOptions lora;
  double learning_rate = 3e-4;
  int64_t warm_up = 0;
  TextPacking packing = TextPacking::kConcatenated;
  bool special_tokens = false;
  models::Dtype dtype = models::Dtype::kBf16;
  std::string device = "cpu";  ///< its plug-in's name for it
  int64_t threads = 0;
  uint64_t seed = 0;

  healing::Schedule schedule() const { return {learning_rate, steps, warm_up}; }
  int64_t sequences() const { return steps * batch * accumulation; }
  int64_t tokens() const { return sequences() * max_tokens; }
};

/// Takes the paper's values for one of its models (healing/presets.h), batches of one sequence. Error{kUsage} with the list.
void take_preset(const std::string& name, HealingOptions& options);

}  // namespace plumb::harness
