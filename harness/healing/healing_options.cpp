#include "harness/healing/healing_options.h"

#include "base/error.h"
#include "harness/cli/console.h"
#include "healing/presets.h"

namespace plumb::harness {

std::string packing_name(TextPacking packing) {
  return packing == TextPacking::kCut ? "cut" : "concat";
}

TextPacking parse_packing(const std::string& word, const std::string& origin) {
  for (const TextPacking packing : {TextPacking::kConcatenated, TextPacking::kCut})
    if (packing_name(packing) == word) return packing;
  throw Error(ErrorKind::kUsage, text(origin, " is '", printable(word), "', needed concat or cut"));
}

void take_preset(const std::string& name, HealingOptions& options) {
  const healing::Preset& preset = healing::preset(name);
  options.preset = name;
  options.max_tokens = preset.max_tokens;
  options.batch = 1;
  options.accumulation = healing::Preset::kBatch;
  options.steps = healing::Preset::kSteps;
  options.lora.rank = preset.rank;
  options.lora.dropout = healing::Preset::kDropout;
  options.learning_rate = preset.learning_rate;
  options.special_tokens = true;
}

}  // namespace plumb::harness
