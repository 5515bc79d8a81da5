// Memory and latency, each configuration in a process of its own: a peak belongs to a process, not to a function.

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/pipeline/child_process.h"
#include "harness/pipeline/memory_plan.h"
#include "harness/pipeline/peak_memory.h"
#include "harness/pipeline/placement.h"
#include "harness/pipeline/stages.h"
#include "metrics/cost/cost.h"
#include "pruning/strategy.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

pruning::PruningPlan cost_plan(int64_t block_count, int64_t n) {
  pruning::StrategyInputs inputs;
  inputs.block_count = block_count;
  return pruning::make_plan("simple", n, inputs);
}

std::vector<std::string> child_arguments(const Experiment& e, int64_t n) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  return {"measure-one",
          "--model",
          e.model,
          "--dtype",
          e.dtype,
          "--device",
          e.device,
          "--threads",
          number(e.threads),
          "--n",
          number(n),
          "--prefill-tokens",
          number(e.prefill_tokens),
          "--decode-context",
          number(e.decode_context),
          "--decode-tokens",
          number(e.decode_tokens),
          "--repetitions",
          number(e.repetitions),
          "--format",
          "json"};
}

CostPoint read_point(const ChildOutput& child, int64_t n) {
  if (child.exit_code != 0) {
    const std::string said = child.err.substr(0, child.err.find('\n'));
    const bool known = child.exit_code == 2 || child.exit_code == 4;
    throw Error(known ? static_cast<ErrorKind>(child.exit_code) : ErrorKind::kResource,
                text("measuring n = ", n, " ended with code ", child.exit_code, ": ",
                     said.empty() ? "the child process said nothing" : said));
  }
  try {
    const Json json = parse_json(child.out);
    return {n, json.at("removed"), one_cost_from_json(json.at("cost")),
            json.at("peak_excludes_loading")};
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInternal,
                text("measuring n = ", n, ": the child's result cannot be read: ", error.what()));
  }
}

}  // namespace

CostPoint measure_one(const Experiment& experiment, int64_t n) {
  use_threads(experiment.threads);
  device_of(experiment);
  CostPoint point;
  point.n = n;
  const uint64_t baseline = metrics::resident_bytes();
  const auto decoder = [&] {
    const MappedTensors mapped;
    const auto checkpoint = models::Checkpoint::open(experiment.model);
    const int64_t blocks = checkpoint.config().block_count;
    if (n < 0 || n >= blocks)
      throw Error(ErrorKind::kUsage, text("--n is ", n, ", needed 0..", blocks - 1));
    const auto plan = cost_plan(blocks, n);
    point.removed = plan.removed_text();
    return placed(
        models::Decoder::load(checkpoint, models::parse_dtype(experiment.dtype), plan.kept()),
        experiment, experiment.memory_limit_bytes);
  }();
  point.peak_excludes_loading = reset_peak();
  metrics::CostOptions options;
  options.prefill_tokens = experiment.prefill_tokens;
  options.decode_context = experiment.decode_context;
  options.decode_tokens = experiment.decode_tokens;
  options.repetitions = experiment.repetitions;
  point.cost = metrics::measure_latency(decoder, options);
  point.cost.peak_resident_bytes = metrics::peak_resident_bytes();
  point.cost.baseline_resident_bytes = baseline;
  return point;
}

std::string cost_refusal(const Experiment& e, const models::ModelConfig& config) {
  const uint64_t limit = e.memory_limit_bytes > 0 ? e.memory_limit_bytes : available_memory_bytes();
  const uint64_t baseline = metrics::resident_bytes();  // a child's is about this process'
  const auto need = [&](int64_t n) {
    MemoryNeeds needs;
    needs.config = config;
    needs.config.block_count = config.block_count - n;
    needs.dtype = models::parse_dtype(e.dtype);
    needs.threads = e.threads;
    needs.profile = {1, std::max(e.prefill_tokens, e.decode_context)};
    const auto values =
        static_cast<uint64_t>(2 * needs.config.block_count * config.kv_head_count *
                              config.head_width * (e.decode_context + e.decode_tokens));
    needs.baseline_bytes = baseline + values * sizeof(float);
    return resident_need(needs);
  };
  const auto counts = cost_counts(e, config.block_count);
  const int64_t asked = *std::min_element(counts.begin(), counts.end());
  if (need(asked) <= limit) return "";
  int64_t n = asked;
  while (n < config.block_count && need(n) > limit) ++n;
  return text("a model without ", asked, " blocks needs ", bytes_text(need(asked)), " of the ",
              bytes_text(limit),
              " that it may have, and timing one that is streamed would measure "
              "the disk; ",
              n < config.block_count ? text("cost.n of at least ", n, " would fit")
                                     : std::string("no part of this model would fit"));
}

CostPoint cost_point(const Experiment& experiment, int64_t n, const std::string& program) {
  return read_point(run_child(program, child_arguments(experiment, n)), n);
}

CostResult cost_stage(const Experiment& experiment, int64_t block_count, const std::string& program,
                      const Console& console) {
  const auto start = std::chrono::steady_clock::now();
  const auto counts = cost_counts(experiment, block_count);
  Progress progress(console, "cost: configuration");
  CostResult result;
  result.block_count = block_count;
  for (size_t i = 0; i < counts.size(); ++i) {
    progress.update(static_cast<int64_t>(i), static_cast<int64_t>(counts.size()));
    result.points.push_back(cost_point(experiment, counts[i], program));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace plumb::harness
