#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/cli/console.h"
#include "harness/healing/healing_run.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/publish.h"

namespace plumb::harness {

/// healing.json: but for its object `run`, a function of the inputs.
nlohmann::ordered_json healing_json(const HealingRequest& request, const ModelFacts& model,
                                    const HealingText& text, const HealingResult& result);

/// training.csv: step,loss_nats,learning_rate,tokens_per_second; a line for each step, the loss being that before it.
NamedFile training_file(const HealingOptions& options, const HealingResult& result);

void say_healing(const HealingOptions& options, const HealingResult& result,
                 int64_t vocabulary_size, const Console& console);

}  // namespace plumb::harness
