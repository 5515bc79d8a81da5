#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/console.h"
#include "harness/healing/healing_options.h"
#include "harness/healing/healing_text.h"
#include "harness/processes/processes.h"
#include "healing/training_state.h"
#include "models/compute_device.h"
#include "models/formats/checkpoint.h"

namespace plumb::harness {

struct HealingRequest {
  HealingOptions options;
  models::ComputeDevice device;          ///< the one that options.device names
  const Processes* processes = nullptr;  ///< that heal together; null: this one alone
  std::filesystem::path out;
  int64_t steps_per_state = 20;  ///< the state is kept after each so many
  bool fresh = false;            ///< begins anew whatever is there
  bool merge = false;  ///< writes `<out>/merged` too, the pruned checkpoint with the adapter in it
  bool merge_as_gguf = false;  ///< as `<out>/merged.gguf` instead
};

/// Mean of -ln p over each validation document, before and after.
struct HealingResult {
  std::vector<double> losses_before, losses_after;
  std::vector<healing::TrainingRow> rows;
  int64_t resumed_steps = 0;
  double seconds = 0;  ///< of this process' steps
  uint64_t frozen_bytes = 0;
  uint64_t peak_resident_bytes = 0;
  int64_t processes = 1;
  std::string exchange;  ///< what moved the gradients of several
};

/// Writes `<out>/base` (the pruned checkpoint) and `<out>/adapter` (PEFT), and gives what is to be said of them. While it works
/// `<out>/.stages/heal.safetensors` holds the training's state; the same request goes on from there after a crash or a
/// signal, and `<out>/adapter` is then byte for byte what it would have been. The caller removes it once the results stand
/// (finish_healing).
///
/// Of several processes each computes some of a step's products and of the validation; rank 0 alone writes. All get the result.
///
/// Errors: Error{kUsage} naming what differs where the state is another training's, or where a finished healing stands;
/// Error{kInput} where a loss or gradient is not finite, with step, documents and the last state; Error{kResource} for a device
/// whose plug-in does not expand NF4.
HealingResult run_healing(const HealingRequest& request, const models::Checkpoint& checkpoint,
                          const HealingText& text, const Console& console);
void finish_healing(const HealingRequest& request);

/// What products take their operands in where values are `dtype`'s: bf16 values in fp32 are multiplied exactly and, without AMX,
/// faster.
models::Dtype held_dtype(models::Dtype dtype);

/// Everything that decides the numbers, by name; not nested.
nlohmann::ordered_json healing_key(const HealingOptions& options,
                                   const models::Checkpoint& checkpoint, const HealingText& text);

}  // namespace plumb::harness
