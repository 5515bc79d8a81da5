#include <charconv>
#include <cmath>

#include "base/error.h"
#include "harness/cli/chosen_plan.h"
#include "harness/experiment/experiment.h"
#include "harness/healing/healing_group.h"
#include "harness/healing/healing_output.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/run_lock.h"
#include "harness/pipeline/session.h"
#include "healing/modules.h"

namespace plumb::harness {

namespace {

const std::vector<std::string> kFormats{"safetensors", "gguf"};

std::vector<Flag> heal_flags() {
  return model_flags() + block_flags() +
         std::vector<Flag>{
             {"--documents", "FILE", "",
              "text to train on: JSONL with `text` (.gz too), CSV, Parquet or text"},
             {"--validation", "FILE", "",
              "text whose loss is measured before and after; default: the last tenth of "
              "--documents, at most 64, which are then not trained on"},
             {"--preset", "NAME", "",
              "the paper's values: llama-2-7b, llama-2-13b, llama-2-70b, qwen-7b, qwen-14b, "
              "mistral-7b, phi-2; flags win over it"},
             {"--max-tokens", "T", "", "tokens of a sequence; default 256"},
             {"--batch", "B", "", "sequences of a product; default 4"},
             {"--accumulation", "A", "",
              "products of a step; default 1. Processes (mpirun -n 4 plumb heal ...) share them; "
              "where they are no multiple of the processes, --batch is made smaller"},
             {"--steps", "S", "", "steps; default 200"},
             {"--rank", "R", "", "of the adapters; default 8"},
             {"--alpha", "X", "", "adapters are scaled by alpha / rank; default: the rank"},
             {"--dropout", "P", "", "of the adapters' inputs; default 0"},
             {"--targets", "LIST", "",
              "query, key, value, attention_out (query_key_value where they are one), gate, up, "
              "down, or all; default: gate, up and down"},
             {"--learning-rate", "X", "", "at its peak; default 3e-4"},
             {"--warm-up", "W", "", "steps up to it; default: a tenth of them, at most 100"},
             {"--packing", "HOW", "",
              "concat (default): documents one after the other, cut at T; cut: those of at least "
              "T tokens, cut to T"},
             {"--special-tokens", "", "", "add BOS or EOS as the tokenizer's files say"},
             {"--merge", "", "",
              "write the model with the adapter in its weights too, to merged (--format gguf: "
              "merged.gguf)"},
             {"--steps-per-state", "K", "",
              "how often what it could go on from is kept; default 20"},
             {"--fresh", "", "", "begin anew whatever stands in --out of an earlier healing"}};
}

double real_number(const Arguments& arguments, const std::string& flag) {
  const std::string word = arguments.require(flag);
  double value = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status != std::errc() || end != word.data() + word.size() || !std::isfinite(value))
    throw Error(ErrorKind::kUsage,
                text(flag, " is '", printable(word), "', needed a number such as 3e-4"));
  return value;
}

void set_count(const Arguments& arguments, const std::string& flag, int64_t least, int64_t& value) {
  if (arguments.has(flag)) value = whole_number(arguments, flag, least);
}

/// All but the model's part of them.
HealingOptions options_of(const Arguments& arguments, const Experiment& experiment) {
  HealingOptions o;
  o.lora.rank = 8;
  if (const auto name = arguments.get("--preset")) take_preset(*name, o);
  o.documents = arguments.require("--documents");
  o.validation = arguments.get("--validation").value_or("");
  set_count(arguments, "--max-tokens", 2, o.max_tokens);
  set_count(arguments, "--batch", 1, o.batch);
  set_count(arguments, "--accumulation", 1, o.accumulation);
  set_count(arguments, "--steps", 1, o.steps);
  set_count(arguments, "--rank", 1, o.lora.rank);
  o.lora.alpha = arguments.has("--alpha") ? real_number(arguments, "--alpha")
                                          : static_cast<double>(o.lora.rank);
  if (arguments.has("--dropout")) o.lora.dropout = real_number(arguments, "--dropout");
  if (arguments.has("--learning-rate")) o.learning_rate = real_number(arguments, "--learning-rate");
  o.warm_up = healing::default_warm_up(o.steps);
  set_count(arguments, "--warm-up", 0, o.warm_up);
  o.packing = parse_packing(arguments.get("--packing").value_or("concat"), "--packing");
  o.special_tokens =
      o.special_tokens || experiment.special_tokens || arguments.has("--special-tokens");
  o.dtype = models::parse_dtype(experiment.dtype);
  o.threads = experiment.threads;
  o.seed = experiment.seed;
  healing::learning_rate(o.schedule(), 0);  // what is wrong with it is said before any work
  return o;
}

void take_model(const Arguments& arguments, const models::Checkpoint& checkpoint,
                const LocalModel& found, HealingOptions& options) {
  const models::ModelConfig& config = checkpoint.config();
  options.model = found.path.string();
  options.model_origin = found.origin;
  options.plan = chosen_plan(arguments, config.block_count);
  options.lora.targets = arguments.has("--targets")
                             ? healing::parse_targets(arguments.require("--targets"), config)
                             : healing::default_targets(config);
  if (options.max_tokens > config.max_positions)
    throw Error(ErrorKind::kUsage,
                text("sequences of ", options.max_tokens, " tokens were asked for, needed at most ",
                     "the model's ", config.max_positions, " positions"));
  healing::make_adapters(config, 0, options.lora, 0);  // tries the options
}

int run_heal(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, heal_flags());
  if (settings.origin("dtype") == "default") settings.set("dtype", "bf16", "heal's default");
  Experiment experiment = make_experiment(settings);
  const Processes& processes = *arguments.processes;
  share_machine(settings, processes, experiment);
  HealingRequest request;
  request.processes = &processes;
  request.options = options_of(arguments, experiment);
  HealingOptions& options = request.options;
  if (share_batches(processes.count(), options))
    console.warn(text(processes.count(), " processes compute products of ", options.batch,
                      " sequences, ", options.accumulation, " a step: the numbers are those of ",
                      "--batch ", options.batch, " --accumulation ", options.accumulation));
  request.device = models::open_device(experiment.device);
  request.options.device = request.device.name;
  if (!request.device.reason.empty() && request.device.is_cpu())
    console.warn(text("runs on the CPU: ", request.device.reason));
  request.out = experiment.out;
  request.fresh = arguments.has("--fresh");
  request.merge = arguments.has("--merge");
  request.merge_as_gguf = arguments.get(kFileFormat).value_or(kFormats.front()) == "gguf";
  if (arguments.has(kFileFormat) && !request.merge)
    throw Error(ErrorKind::kUsage, "--format of files was given without --merge, whose it is");
  set_count(arguments, "--steps-per-state", 1, request.steps_per_state);
  const auto lock = take_out(experiment, processes);
  LocalModel found;
  processes.first_then_others([&] { found = local_model(experiment.model, console); });
  const auto checkpoint = models::Checkpoint::open(found.path);
  take_model(arguments, checkpoint, found, request.options);
  use_threads(experiment.threads);
  const HealingText text =
      read_healing_text(request.options, models::Tokenizer::of(checkpoint, found.path));
  const HealingResult result = run_healing(request, checkpoint, text, console);
  if (!processes.is_first()) return 0;
  const ModelFacts facts = model_facts(checkpoint, found.origin);
  const auto json = healing_json(request, facts, text, result);
  const std::vector<NamedFile> files{training_file(request.options, result),
                                     {"healing.json", json.dump(2) + "\n"}};
  publish(files, request.out);
  finish_healing(request);
  console.result(json);
  say_healing(request.options, result, facts.vocabulary_size, console);
  console.say(wrote(files, request.out.string()) + ", the model to base, the adapter to adapter");
  return 0;
}

}  // namespace

Command heal_command() {
  return {
      .name = "heal",
      .summary = "train a small adapter that repairs a pruned model (QLoRA)",
      .example =
          "plumb heal --model model.gguf --first 12 --n 7 --documents text.jsonl --max-tokens 256 "
          "--batch 4 --steps 200 --rank 8 --learning-rate 3e-4 --out healed; after mpirun -n 4: by "
          "4 processes",
      .flags = heal_flags(),
      .run = run_heal,
      .file_formats = kFormats,
      .several = true};
}

}  // namespace plumb::harness
