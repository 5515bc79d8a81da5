#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/healing/healing_text.h"
#include "harness/pipeline/results.h"
#include "healing/training_state.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// Result of the stage `heal`: the training of one plan's adapter, which lies in the stage's folder.
struct TrainedPlan {
  pruning::PruningPlan plan;  ///< of the whole model
  std::vector<healing::TrainingRow> rows;
  TextFile documents;
  int64_t training_documents = 0;  ///< that were read, in file order
  int64_t tokens = 0;
  uint64_t frozen_bytes = 0;  ///< of the blocks that stay, in NF4
  double seconds = 0;
};

struct HealedAnswers {
  std::string task;
  std::string metric;
  std::vector<uint8_t> right;  ///< [question], in the order of the stage `questions`
};

/// Result of the stage `healed`: the pruned model with the adapter in its weights, measured as the stages `sweep` and
/// `questions` measure it without one: same documents, positions and questions, so that all is paired.
struct HealedPlan {
  pruning::PruningPlan plan;              ///< of the whole model
  std::vector<double> loss_nats;          ///< [document]
  std::vector<double> position_variance;  ///< [document], or empty
  std::vector<HealedAnswers> answers = {};
  double seconds = 0;
  std::string continuation = {};  ///< of the fixed prompt, see continuation.h
};

/// Result of the stage `nf4`: what all blocks take.
struct BlockBytes {
  uint64_t sixteen_bit = 0;
  uint64_t nf4 = 0;  ///< with double quantisation, as healing holds them
  double seconds = 0;
};

/// All of a run that was healed: strategy by strategy, n ascending.
struct HealResult {
  std::vector<TrainedPlan> trained;
  std::vector<HealedPlan> healed;  ///< of the same plans
  BlockBytes whole;
};

nlohmann::ordered_json to_json(const TrainedPlan& result);
nlohmann::ordered_json to_json(const HealedPlan& result);
nlohmann::ordered_json to_json(const BlockBytes& result);
/// Throw nlohmann's exceptions or Error for what is no such result.
TrainedPlan trained_from_json(const nlohmann::ordered_json& json);
HealedPlan healed_from_json(const nlohmann::ordered_json& json);
BlockBytes block_bytes_from_json(const nlohmann::ordered_json& json);

}  // namespace plumb::harness
