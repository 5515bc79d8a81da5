#include "harness/pipeline/heal_stage.h"

#include <chrono>
#include <unordered_map>

#include "base/error.h"
#include "harness/cli/signals.h"
#include "harness/datasets/documents.h"
#include "harness/healing/healing_run.h"
#include "harness/healing/merge.h"
#include "harness/pipeline/answered_task.h"
#include "harness/pipeline/continuation.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/stages.h"
#include "healing/modules.h"
#include "healing/nf4_blocks.h"
#include "healing/peft_adapter.h"
#include "metrics/cost/arithmetic.h"
#include "pruning/apply.h"

namespace plumb::harness {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A folder that goes when the scope does.
class Scratch {
 public:
  explicit Scratch(fs::path path) : path_(std::move(path)) { remove(); }
  ~Scratch() { remove(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

models::ModelConfig pruned_config(Session& session, const pruning::PruningPlan& plan) {
  models::ModelConfig config = session.checkpoint().config();
  config.block_count -= plan.removed_count();
  return config;
}

std::vector<healing::Target> targets_of(const HealChoice& choice,
                                        const models::ModelConfig& config) {
  if (choice.targets.empty()) return healing::default_targets(config);
  std::string list;
  for (const std::string& target : choice.targets) list += (list.empty() ? "" : ",") + target;
  return healing::parse_targets(list, config);
}

/// A text's documents by their words: a name for messages and the line.
using Seen = std::unordered_map<std::string, std::string>;

void add_documents(const TextChoice& choice, const models::TokenBatch& batch,
                   const std::string& name, Seen& seen) {
  size_t next = 0;
  visit_documents(InputFile(choice.file), [&](const models::Document& document) {
    if (document.line == batch.documents.at(next)) {
      seen.emplace(document.text, text(name, "'s document ", document.line));
      ++next;
    }
    return next < batch.documents.size();
  });
}

void require_disjoint(Session& session, const HealingText& trained) {
  const Experiment& e = session.experiment();
  Seen seen;
  add_documents(e.calibration_text(), session.calibration(), "calibration", seen);
  add_documents(e.validation, session.validation(), "validation", seen);
  const int64_t last = trained.training.back().last_document;
  visit_documents(InputFile(e.heal.documents), [&](const models::Document& document) {
    if (const auto same = seen.find(document.text); same != seen.end())
      throw Error(
          ErrorKind::kInput,
          text("document ", document.line, " of '", e.heal.documents, "' is the ", same->second,
               " too; needed are others, as nothing may be trained on that "
               "is measured or chosen by (heal.documents)"));
    return document.line < last;
  });
}

std::vector<HealedAnswers> answers_of(Session& session, const pruning::PruningPlan& whole,
                                      const Console& console) {
  std::vector<HealedAnswers> out;
  for (AskedTask& asked : ask_questions(session))
    for (const AnsweredTask& a :
         answered_tasks(evaluate(session, std::move(asked), {whole}, console)))
      out.push_back({a.task, a.metric, a.right.at(0)});
  return out;
}

}  // namespace

HealingOptions healing_options(Session& session, const pruning::PruningPlan& plan) {
  const Experiment& e = session.experiment();
  const HealChoice& c = e.heal;
  const models::ModelConfig& config = session.checkpoint().config();
  HealingOptions o;
  o.model = e.model;
  o.model_origin = e.model_origin;
  o.plan = plan;
  o.preset = c.preset;
  o.documents = c.documents;
  o.max_tokens = c.max_tokens;
  o.batch = c.batch;
  o.accumulation = c.accumulation;
  o.steps = c.steps;
  o.lora = {c.rank, c.alpha, c.dropout, targets_of(c, config)};
  o.learning_rate = c.learning_rate;
  o.warm_up = c.warm_up;
  o.packing = parse_packing(c.packing, "heal.packing");
  o.special_tokens = c.special_tokens;
  o.dtype = models::parse_dtype(e.dtype);
  o.threads = e.threads;
  o.seed = c.seed;
  if (o.max_tokens > config.max_positions)
    throw Error(ErrorKind::kUsage,
                text("heal.max_tokens is ", o.max_tokens, ", needed at most the model's ",
                     config.max_positions, " positions"));
  healing::make_adapters(config, 0, o.lora, 0);  // tries the options
  return o;
}

HealingText heal_text(Session& session) {
  const HealingOptions options = healing_options(session, {});
  HealingText out;
  try {
    out = read_training_text(options, session.tokenizer());
  } catch (const Error& error) {
    throw error.within("heal.documents");
  }
  require_disjoint(session, out);
  return out;
}

Json heal_key(Session& session, const pruning::PruningPlan& plan, const Json& common) {
  const HealingOptions o = healing_options(session, plan);
  Json targets = Json::array();
  for (const auto target : o.lora.targets) targets.push_back(healing::target_name(target));
  std::string sha256;
  try {
    sha256 = session.text_sha256({o.documents, 0, 0});
  } catch (const Error& error) {
    throw Error(error.kind(), text(error.what(), " (heal.documents; ./run makes the default ones)"),
                error.at());
  }
  return {{"common", common},
          {"removed", plan.removed_text()},
          {"documents", sha256},
          {"max_tokens", o.max_tokens},
          {"batch", o.batch},
          {"accumulation", o.accumulation},
          {"steps", o.steps},
          {"rank", o.lora.rank},
          {"alpha", o.lora.alpha},
          {"dropout", o.lora.dropout},
          {"targets", targets},
          {"learning_rate", o.learning_rate},
          {"warm_up", o.warm_up},
          {"packing", packing_name(o.packing)},
          {"special_tokens", o.special_tokens},
          {"seed", o.seed}};
}

bool has_adapter(const fs::path& folder) { return fs::exists(folder / "adapter" / "plumb.json"); }

TrainedPlan heal_stage(Session& session, const pruning::PruningPlan& plan, const HealingText& text,
                       const fs::path& folder, const Console& console) {
  const auto start = Clock::now();
  HealingRequest request;
  request.options = healing_options(session, plan);
  request.out = folder;
  request.steps_per_state = session.experiment().heal.steps_per_state;
  // An adapter without the state that it came from is of a result that is gone.
  request.fresh = !fs::exists(folder / ".stages" / "heal.safetensors");
  session.drop_decoder();
  HealingResult healed = run_healing(request, session.checkpoint(), text, console);
  const Scratch base(folder / "base");  // the adapter and the whole model give it again
  TrainedPlan out;
  out.plan = plan;
  out.rows = std::move(healed.rows);
  out.documents = text.documents;
  out.training_documents = text.training_documents;
  out.tokens = request.options.tokens();
  out.frozen_bytes = healed.frozen_bytes;
  out.seconds = seconds_since(start);
  return out;
}

void finish_heal_stage(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder / ".stages", ignored);
}

HealedPlan healed_stage(Session& session, const pruning::PruningPlan& plan,
                        const TextFacts& documents, const fs::path& folder,
                        const Console& console) {
  const auto start = Clock::now();
  const models::ModelConfig config = pruned_config(session, plan);
  const Scratch merged(folder / "merged");
  {
    const healing::PeftAdapter adapter = healing::read_peft_adapter(folder / "adapter", config);
    constexpr uint64_t kShardBytes = uint64_t{5} << 30;
    pruning::write_pruned(session.checkpoint(), session.experiment().model, plan, merged.path(),
                          false, kShardBytes, throw_if_interrupted, {}, merging(adapter, config));
  }
  session.drop_decoder();
  Experiment experiment = session.experiment();
  experiment.model = merged.path().string();
  experiment.model_origin = {};
  Session healed(experiment);
  const pruning::PruningPlan whole{config.block_count, {}, plan.strategy, "healed"};
  const SweepResult losses = sweep_stage(healed, {whole}, console);
  if (losses.text.documents != documents.documents)
    throw Error(ErrorKind::kInvariant, "the healed model reads other documents than the sweep");
  HealedPlan out;
  out.plan = plan;
  out.loss_nats = losses.losses.loss_nats.at(0);
  if (!losses.losses.position_variance.empty())
    out.position_variance = losses.losses.position_variance.at(0);
  out.answers = answers_of(healed, whole, console);
  if (!healed.memory_plan().streamed)
    out.continuation = continuation(healed.decoder(), healed.tokenizer(), config);
  out.seconds = seconds_since(start);
  return out;
}

BlockBytes nf4_stage(Session& session) {
  const auto start = Clock::now();
  const models::ModelConfig& config = session.checkpoint().config();
  const models::Dtype dtype = models::parse_dtype(session.experiment().dtype);
  session.drop_decoder();
  const auto exact = models::Decoder::stream(session.checkpoint(), models::Dtype::kFp32);
  const auto frozen =
      healing::with_nf4_blocks(exact, dtype, held_dtype(dtype), session.checkpoint());
  constexpr uint64_t kSixteenBit = 2;
  return {kSixteenBit * static_cast<uint64_t>(metrics::block_parameters(config)) *
              static_cast<uint64_t>(config.block_count),
          frozen.block_bytes(), seconds_since(start)};
}

}  // namespace plumb::harness
