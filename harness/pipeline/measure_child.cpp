#include "harness/pipeline/measure_child.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/machine_readings.h"
#include "harness/pipeline/generation_memory.h"
#include "harness/pipeline/machine_speed.h"
#include "harness/pipeline/peak_memory.h"
#include "harness/pipeline/placement.h"
#include "harness/pipeline/session.h"
#include "metrics/cost/cost.h"
#include "metrics/cost/generation.h"
#include "models/greedy.h"
#include "pruning/plan.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;
using Prompts = std::vector<std::vector<std::vector<int32_t>>>;

/// Prompts of a file, each cut to `context`, one after another into the repetitions and their sequences; those of a file that
/// is too short come again, turned by a token, so that no two are alike.
Prompts read_prompts(const ChildRequest& r) {
  std::vector<std::vector<int32_t>> all;
  try {
    all = parse_json(read_file(r.prompts_file)).get<std::vector<std::vector<int32_t>>>();
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInput, text(r.prompts_file,
                                        ": needed is a JSON array of arrays of token "
                                        "ids: ",
                                        error.what()));
  }
  std::erase_if(all, [&](const auto& one) { return std::ssize(one) < r.context; });
  if (all.empty())
    throw Error(ErrorKind::kInput, text(r.prompts_file, ": no prompt has ", r.context, " tokens"));
  Prompts out;
  size_t next = 0;
  for (int64_t i = 0; i < r.repetitions; ++i) {
    auto& prompts = out.emplace_back();
    for (int64_t b = 0; b < r.batch; ++b, ++next) {
      auto prompt = all[next % all.size()];
      prompt.resize(static_cast<size_t>(r.context));
      const auto turn = static_cast<int64_t>(next / all.size()) % r.context;
      std::rotate(prompt.begin(), prompt.begin() + turn, prompt.end());
      prompts.push_back(std::move(prompt));
    }
  }
  return out;
}

models::Decoder load_without(const Experiment& e, const ChildRequest& request,
                             pruning::PruningPlan& plan, models::ModelConfig& config) {
  const MappedTensors mapped;
  const auto checkpoint = models::Checkpoint::open(e.model);
  plan = {checkpoint.config().block_count, request.removed, "explicit", ""};
  validate(plan);
  config = checkpoint.config();
  config.block_count -= plan.removed_count();
  return placed(models::Decoder::load(checkpoint, models::parse_dtype(e.dtype), plan.kept()), e,
                e.memory_limit_bytes);
}

}  // namespace

Json measure_child(const Experiment& experiment, const ChildRequest& request) {
  using Clock = std::chrono::steady_clock;
  const auto dtype = models::parse_dtype(experiment.dtype);
  use_threads(experiment.threads);
  device_of(experiment);
  // Threads and what they touch first are there before anything is counted.
  at::parallel_for(0, at::get_num_threads(), 1, [](int64_t, int64_t) {});
  const uint64_t baseline = metrics::resident_bytes();
  pruning::PruningPlan plan;
  models::ModelConfig config;
  const auto start = Clock::now();
  const models::Decoder decoder = load_without(experiment, request, plan, config);
  const double load_ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  const uint64_t loaded = metrics::resident_bytes();
  const bool excludes_loading = reset_peak();
  const Prompts prompts =
      request.prompts_file.empty()
          ? metrics::drawn_prompts(config.vocabulary_size, request.repetitions, request.batch,
                                   request.context, experiment.seed)
          : read_prompts(request);
  const MachineReadings before = read_machine();
  const auto timed = Clock::now();
  const metrics::GenerationTimes g = metrics::measure_generation(
      decoder, prompts, {.tokens = request.tokens, .repetitions = request.repetitions});
  const double seconds = std::chrono::duration<double>(Clock::now() - timed).count();
  const MachineReadings after = read_machine();
  const uint64_t peak = metrics::peak_resident_bytes();
  const auto needs = generation_bytes(config, dtype, request.batch, request.context, request.tokens,
                                      experiment.threads);

  Json out = {{"removed", plan.removed_text()},
              {"n", plan.removed_count()},
              {"block_count", plan.block_count},
              {"context", request.context},
              {"batch", request.batch},
              {"tokens", request.tokens},
              {"repetitions", request.repetitions},
              {"threads", at::get_num_threads()},
              {"load_ms", load_ms},
              {"first_token_ms", g.first_token_ms},
              {"again_ms", g.again_ms},
              {"blocks_ms", g.blocks_ms},
              {"token_ms", g.token_ms},
              {"repeats", g.repeats},
              {"warm_up_rounds", g.warm_up_rounds},
              {"warm_up_spread", g.warm_up_spread},
              {"warm_spread", metrics::kWarmSpread}};
  out["memory"] = {{"baseline_bytes", baseline},
                   {"loaded_bytes", loaded},
                   {"peak_bytes", peak},
                   {"peak_excludes_loading", excludes_loading},
                   {"weight_bytes", decoder.weight_bytes()},
                   {"block_bytes", decoder.block_bytes()},
                   {"predicted_weight_bytes", needs.weights},
                   {"predicted_cache_bytes", needs.cache},
                   {"predicted_activation_bytes", needs.activations},
                   {"predicted_peak_bytes", baseline + needs.total()}};
  const TimingDoubts doubts =
      timing_doubts(before, after, seconds, static_cast<int>(available_threads()));
  const EnergyUsed energy = energy_between(before, after);
  out["machine"] = {{"seconds", seconds}, {"doubts", doubts.reasons}, {"unknown", doubts.unknown}};
  out["energy"] = {{"joules", energy.joules ? Json(*energy.joules) : Json()},
                   {"reason", energy.reason}};
  out["prompts"] = prompts.front();
  out["written"] = g.written;
  // The same prompts without a clock: what the accuracy of this model is measured with.
  out["written_untimed"] =
      models::write_greedily(decoder, prompts.front(), {.max_tokens = request.tokens});
  if (request.read_speed) out["read_bytes_per_second"] = read_bytes_per_second();
  out["benchmark"] = Json::parse(g.benchmark_json);
  return out;
}

}  // namespace plumb::harness
