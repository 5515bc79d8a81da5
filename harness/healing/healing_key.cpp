#include "harness/healing/healing_run.h"
#include "harness/pipeline/work_key.h"
#include "healing/modules.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::harness {

nlohmann::ordered_json healing_key(const HealingOptions& o, const models::Checkpoint& checkpoint,
                                   const HealingText& text) {
  nlohmann::ordered_json key;
  key["format"] = 1;
  add_software(key);
  key["model"] = checkpoint.sha256();
  key["tokenizer"] = models::Tokenizer::sha256(o.model);
  key["removed"] = o.plan.removed_text();
  key["documents"] = text.documents.sha256;
  key["validation"] = o.validation.empty() ? "" : text.validation_file.sha256;
  key["max-tokens"] = o.max_tokens;
  key["batch"] = o.batch;
  key["accumulation"] = o.accumulation;
  key["steps"] = o.steps;
  key["rank"] = o.lora.rank;
  key["alpha"] = o.lora.alpha;
  key["dropout"] = o.lora.dropout;
  std::string targets;
  for (const auto target : o.lora.targets)
    targets += (targets.empty() ? "" : ",") + healing::target_name(target);
  key["targets"] = targets;
  key["learning-rate"] = o.learning_rate;
  key["warm-up"] = o.warm_up;
  key["packing"] = packing_name(o.packing);
  key["special-tokens"] = o.special_tokens;
  key["dtype"] = std::string(models::dtype_name(o.dtype));
  if (o.device != "cpu") key["device"] = o.device;
  key["threads"] = o.threads;
  key["seed"] = o.seed;
  return key;
}

}  // namespace plumb::harness
