#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/pipeline/session.h"
#include "pruning/plan.h"

namespace plumb::harness {

/// What a model goes on with after one fixed prompt: an illustration, of which nothing is concluded.
inline constexpr const char* kIllustrationPrompt =
    "Water boils when it is heated. When it is cooled far enough, it";
inline constexpr int64_t kIllustrationTokens = 32;

/// The greedy continuation of that prompt, valid UTF-8; the same on every run of one build, dtype and thread count.
std::string continuation(const models::Decoder& decoder, const models::Tokenizer& tokenizer,
                         const models::ModelConfig& config);

/// Result of the stage `continuation`: the whole model's and pruned ones', not healed.
struct ContinuationResult {
  struct Text {
    pruning::PruningPlan plan;
    std::string text;
  };
  std::vector<Text> texts;  ///< the whole model's first
  double seconds = 0;
};
/// None of a model that is read block by block: each token would read all of it.
ContinuationResult continuation_stage(Session& session,
                                      const std::vector<pruning::PruningPlan>& plans);

nlohmann::ordered_json to_json(const ContinuationResult& result);
ContinuationResult continuation_from_json(const nlohmann::ordered_json& json);

}  // namespace plumb::harness
