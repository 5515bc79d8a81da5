#include "harness/pipeline/estimate.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/results.h"
#include "harness/pipeline/session.h"
#include "models/formats/config_sources.h"
#include "pruning/strategy.h"
#include "pruning/sweep/trie.h"

namespace plumb::harness {

namespace {

constexpr double kReadBytesPerSecond = 10e9;  // of one socket's memory, on the low side

/// Multiply-adds count twice. Attention's own products are left out: below 5 % at 256 tokens.
double block_flops_per_token(const models::ModelConfig& c) {
  const auto width = static_cast<double>(c.width);
  const auto heads = static_cast<double>(c.head_count * c.head_width);
  const auto kv = static_cast<double>(c.kv_head_count * c.head_width);
  const auto ff = static_cast<double>(c.feed_forward_width);
  return 2 * width * (2 * heads + 2 * kv + (c.options.gated ? 3 : 2) * ff);
}

double head_flops(const models::ModelConfig& c) {
  return 2 * static_cast<double>(c.width) * static_cast<double>(c.vocabulary_size);
}

std::vector<pruning::PruningPlan> likely_plans(const Experiment& e, int64_t blocks) {
  std::vector<pruning::PruningPlan> plans;
  pruning::StrategyInputs inputs;
  inputs.block_count = blocks;
  inputs.seed = e.seed;
  for (const std::string& strategy : e.strategies)
    for (const int64_t n : sweep_counts(e, blocks)) {
      if (strategy == "simple" || strategy == "random") {
        plans.push_back(pruning::make_plan(strategy, n, inputs));
        continue;
      }
      pruning::PruningPlan plan{blocks, {}, strategy, ""};
      const int64_t first = 7 * (blocks - n) / 10;
      for (int64_t b = first; b < first + n; ++b) plan.removed.push_back(b);
      plans.push_back(plan);
    }
  return plans;
}

/// What is known of a model before it is here.
struct Foreseen {
  models::ModelConfig config;
  uint64_t bytes = 0;
  uint64_t missing_bytes = 0;
};

Foreseen foresee_repository(const HubId& id) {
  const HubSettings hub = hub_settings();
  const Snapshot snapshot = look_up_model(hub, id);
  Foreseen out;
  for (const FetchedFile& file : snapshot.files) {
    out.bytes += file.size_bytes;
    if (!file.was_cached) out.missing_bytes += file.size_bytes;
  }
  HubId pinned = id;
  pinned.revision = snapshot.commit;
  if (out.missing_bytes == 0) {
    out.config = models::Checkpoint::open(model_path(snapshot)).config();
    return out;
  }
  const Snapshot config = fetch(hub, pinned, {{"config.json"}});
  out.config = models::config_from_json(read_file(config.files.at(0).path));
  return out;
}

Foreseen foresee(const std::string& model, const Console& console) {
  if (means_hub(model)) return foresee_repository(parse_hub_id(model, RepositoryKind::kModel));
  const auto checkpoint = models::Checkpoint::open(local_model(model, console).path);
  Foreseen out;
  out.config = checkpoint.config();
  for (const auto& file : checkpoint.files()) out.bytes += std::filesystem::file_size(file);
  return out;
}

}  // namespace

Estimate estimate(const Experiment& e, const models::ModelConfig& c) {
  Estimate out;
  const auto plans = likely_plans(e, c.block_count);
  const auto trie = pruning::make_trie(plans);
  const double per_value = e.dtype == "bf16" ? 2 : 4;
  const double block = block_flops_per_token(c);
  const double weights = static_cast<double>(c.block_count) * block / 2 +
                         (c.tied_embeddings ? 1 : 2) * head_flops(c) / 2;
  const auto& calibration = e.calibration_text();
  const auto tokens = static_cast<double>(e.validation.limit * e.validation.max_tokens);
  const auto predicted = static_cast<double>(
      e.validation.limit * (e.positions == 0 ? e.validation.max_tokens - 1 : e.positions));
  out.plans = asked_plans(plans);
  out.block_evaluations = trie.block_evaluations();
  out.weight_bytes = static_cast<uint64_t>(weights * per_value);
  out.activation_bytes =
      static_cast<uint64_t>(static_cast<double>(c.block_count * e.documents_per_step *
                                                e.validation.max_tokens * c.width) *
                            per_value);
  out.profile_flops = static_cast<double>(calibration.limit * calibration.max_tokens) *
                      static_cast<double>(c.block_count) * block;
  out.sweep_flops = static_cast<double>(out.block_evaluations) * tokens * block +
                    static_cast<double>(trie.distinct.size()) * predicted * head_flops(c);
  for (const int64_t n : cost_counts(e, c.block_count)) {
    const double kept = 1 - static_cast<double>(n) / static_cast<double>(c.block_count);
    const double runs = static_cast<double>(e.repetitions) + 1;
    out.cost_flops +=
        2 * runs * kept * static_cast<double>(e.prefill_tokens * c.block_count) * block;
    out.cost_bytes_read += runs * static_cast<double>(e.decode_tokens) * kept * weights * per_value;
  }
  return out;
}

double measured_flops(const Experiment& experiment) {
  use_threads(experiment.threads);
  const auto type = models::scalar_type(models::parse_dtype(experiment.dtype));
  constexpr int64_t kRows = 1024, kWidth = 1024;
  const at::Tensor a = at::ones({kRows, kWidth}, type), b = at::ones({kWidth, kWidth}, type);
  at::linear(a, b);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  int64_t products = 0;
  double seconds = 0;
  for (; seconds < 0.3; ++products) {
    at::linear(a, b);
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return 2.0 * kRows * kWidth * kWidth * static_cast<double>(products) / seconds;
}

int dry_run(Settings settings, const Console& console) {
  const Experiment e = make_experiment(settings);
  const Foreseen model = foresee(e.model, console);
  const Estimate need = estimate(e, model.config);
  const double speed = 0.6 * measured_flops(e);
  const double profile = need.profile_flops / speed, sweep = need.sweep_flops / speed;
  const double cost = need.cost_flops / speed + need.cost_bytes_read / kReadBytesPerSecond;
  const double memory = static_cast<double>(need.weight_bytes + need.activation_bytes);
  console.result({{"model_bytes", model.bytes},
                  {"fetched_bytes", model.missing_bytes},
                  {"memory_bytes", memory},
                  {"plans", need.plans},
                  {"block_evaluations", need.block_evaluations},
                  {"profile_seconds", profile},
                  {"sweep_seconds", sweep},
                  {"cost_seconds", cost}});
  console.say(text("model    ", bytes_text(model.bytes), ", ",
                   model.missing_bytes == 0 ? "nothing" : bytes_text(model.missing_bytes),
                   " to fetch"));
  console.say(text("memory   about ", bytes_text(static_cast<uint64_t>(memory)), " in ", e.dtype,
                   " and as much again while the model is checked"));
  console.say(text("profile  about ", duration_text(profile), " for ", e.calibration_text().limit,
                   " documents"));
  console.say(text("sweep    about ", duration_text(sweep), " for ", need.plans, " plans, about ",
                   need.block_evaluations, " block evaluations"));
  console.say(text("cost     about ", duration_text(cost), " for ",
                   cost_counts(e, model.config.block_count).size(), " configurations"));
  console.say("Times are rough: a factor of 2 either way.");
  return 0;
}

}  // namespace plumb::harness
