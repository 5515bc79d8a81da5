#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "healing/trainer.h"

namespace plumb::healing {

/// A line of the training's record.
struct TrainingRow {
  double loss = 0;
  double gradient_norm = 0;
  double learning_rate = 0;
  double seconds = 0;
};

/// Everything that a training goes on from: with it the rest gives the bits of one that was not interrupted.
struct TrainingState {
  std::string key;  ///< what the training is of; its caller's words
  std::vector<at::Tensor> parameters, first_moments,
      second_moments;             ///< in the order of matrices()
  std::vector<TrainingRow> rows;  ///< a step each
  std::vector<double> losses_before;

  int64_t steps() const { return static_cast<int64_t>(rows.size()); }
};

/// One safetensors file with a checksum over all, written so that `path` holds the old state or the new. Error{kResource}.
void write_training_state(const std::filesystem::path& path, const TrainingState& state);

/// None where there is no such file. Error{kInput} where its bytes are not the ones that were written.
std::optional<TrainingState> read_training_state(const std::filesystem::path& path);

/// Of a trainer as it is now.
TrainingState state_of(const Trainer& trainer);
/// Error{kInvariant} where the state is of other matrices.
void restore(Trainer& trainer, const TrainingState& state);

}  // namespace plumb::healing
