// The table of everything that an experiment can say.

#include "harness/experiment/settings.h"

namespace plumb::harness {

const std::vector<Setting>& known_settings() {
  using enum SettingKind;
  static const std::vector<Setting> all = {
      {"name", kText, "experiment", 0, "what the report is called"},
      {"description", kText, "", 0, "for people"},
      {"model", kText, nullptr, 0,
       "a GGUF file, a folder with config.json and safetensors, or org/name[@revision] of the Hub"},
      {"out", kText, nullptr, 0, "the folder that the results go to"},
      {"dtype", kText, "fp32", 0, "fp32, bf16, or auto: bf16 where the CPU has units for it"},
      {"device", kText, "cpu", 0, "cpu, cuda, auto (cuda where it works), or a plug-in's .so"},
      {"threads", kCount, 0, 0, "threads of libtorch; 0: all that this process may use"},
      {"memory_limit", kText, "auto", 0,
       "resident bytes, such as 8GiB; auto: what is available. Larger models are streamed"},
      {"seed", kCount, 0, 0, "of random plans, positions and resamples"},
      {"special_tokens", kSwitch, false, 0, "add BOS or EOS as the tokenizer's files say"},
      {"documents_per_step", kCount, 8, 1, "documents in every product"},
      {"rows_per_pack", kCount, 0, 0,
       "tokens of the questions that are run together; 0: by the model's width"},
      {"calibration.documents", kText, "", 0, "text that the distances are measured on"},
      {"calibration.max_tokens", kCount, 256, 1, "documents are cut to so many tokens"},
      {"calibration.limit", kCount, 64, 1, "how many documents"},
      {"validation.documents", kText, "", 0, "text that the loss is measured on"},
      {"validation.max_tokens", kCount, 256, 2, "documents are cut to so many tokens"},
      {"validation.limit", kCount, 24, 1, "how many documents"},
      {"sweep.strategies", kList, {"similarity", "simple"}, 0, "which plans are compared"},
      {"sweep.n", kText, "", 0, "blocks removed, such as 0-28 or 0-28:2; empty: 0..L-2"},
      {"sweep.deepest", kSwitch, false, 0,
       "of the run, also without the deepest n blocks, the last one among them, for n up to L/4"},
      {"sweep.positions", kCount, 0, 0, "predicted positions per document; 0: all"},
      {"questions.tasks", kList, nlohmann::ordered_json::array(), 0,
       "tasks whose questions every plan answers: smoke, mmlu, boolq, ... or task files (.json)"},
      {"questions.data", kText, "", 0, "folder with their files, as plumb fetch --dataset writes"},
      {"questions.limit", kCount, 0, 0, "the first so many questions of each task; 0: all"},
      {"questions.sample", kCount, 0, 0, "so many questions of each task, drawn; 0: all"},
      {"heal.n", kText, "", 0,
       "blocks removed where the plan is healed by training, such as 7,14; empty: none is"},
      {"heal.strategies", kList, nlohmann::ordered_json::array(), 0,
       "whose plans are healed; empty: all of the sweep's"},
      {"heal.preset", kText, "", 0,
       "the paper's values for one of its models, as of plumb heal; the settings below win over "
       "it"},
      {"heal.documents", kText, "", 0,
       "text that is trained on; no document of calibration or validation may be in it"},
      {"heal.max_tokens", kCount, 256, 2, "tokens of a training sequence"},
      {"heal.batch", kCount, 4, 1, "training sequences of a product"},
      {"heal.accumulation", kCount, 1, 1, "products of a step"},
      {"heal.steps", kCount, 200, 1, "steps of the training"},
      {"heal.rank", kCount, 8, 1, "of the adapters"},
      {"heal.alpha", kNumber, nullptr, 0,
       "adapters are scaled by alpha / rank; none: alpha is the rank"},
      {"heal.dropout", kNumber, 0, 0, "of the adapters' inputs, below 1"},
      {"heal.targets", kList, nlohmann::ordered_json::array(), 0,
       "what has adapters, as of plumb heal; empty: gate, up and down"},
      {"heal.learning_rate", kNumber, 3e-4, 0, "at its peak; then along a cosine to 0"},
      {"heal.warm_up", kCount, nullptr, 0,
       "steps up to the peak; none: a tenth of them, at most 100"},
      {"heal.packing", kText, "concat", 0,
       "concat: documents one after the other, cut at max_tokens; cut: long ones, cut"},
      {"heal.steps_per_state", kCount, 20, 1, "how often what it could go on from is kept"},
      {"heal.seed", kCount, 0, 0, "of the adapters' first weights and of dropout"},
      {"statistics.draws", kCount, 10000, 100, "resamples of every interval"},
      {"cost.n", kText, "", 0, "blocks removed when memory and time are measured; empty: 5 values"},
      {"cost.prefill_tokens", kCount, 256, 1, "tokens of the timed prefill"},
      {"cost.decode_context", kCount, 256, 0, "tokens in the cache before the timed decoding"},
      {"cost.decode_tokens", kCount, 16, 1, "tokens of a timed decoding"},
      {"cost.repetitions", kCount, 10, 1, "timed repetitions"},
      {"claims.required", kList, nlohmann::ordered_json::array(), 0,
       "claims that must have run: NOT RUN then counts as INCONCLUSIVE"},
  };
  return all;
}

}  // namespace plumb::harness
