#include "harness/pipeline/measure_child.h"

#include <ATen/Parallel.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/machine_readings.h"
#include "base/nvml.h"
#include "harness/pipeline/generation_memory.h"
#include "harness/pipeline/machine_speed.h"
#include "harness/pipeline/peak_memory.h"
#include "harness/pipeline/placement.h"
#include "harness/pipeline/session.h"
#include "metrics/cost/cost.h"
#include "metrics/cost/generation.h"
#include "models/block.h"
#include "models/device_memory.h"
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

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// What a device tells at one moment; of the CPU nothing is asked.
struct DeviceReadings {
  models::DeviceMemoryReading memory;
  NvmlReadings nvml;
};
DeviceReadings read_device(const models::ComputeDevice& device) {
  if (device.is_cpu()) return {};
  return {models::device_memory(device.device), read_nvml(device.facts().pci_bus_id)};
}

/// The child's members about its device.
void add_device(Json& out, const models::ComputeDevice& device, const DeviceReadings& before,
                const DeviceReadings& after, double seconds, uint64_t predicted_bytes) {
  if (device.is_cpu()) return;
  const auto& held = after.memory.memory;
  const models::DeviceFacts facts = device.facts();
  Json memory = {{"name", device.name},
                 {"product", facts.name},
                 {"driver", facts.driver},
                 {"total_bytes", facts.total_bytes},
                 {"loaded_bytes", Json()},
                 {"allocated_bytes", Json()},
                 {"reserved_bytes", Json()},
                 {"allocator_reason", after.memory.reason},
                 {"process_bytes", or_null(after.nvml.process_bytes.value)},
                 {"process_reason", after.nvml.process_bytes.reason},
                 {"predicted_bytes", predicted_bytes}};
  if (before.memory.memory) memory["loaded_bytes"] = before.memory.memory->allocated;
  if (held) memory["allocated_bytes"] = held->peak_allocated;
  if (held) memory["reserved_bytes"] = held->peak_reserved;
  out["memory"]["device"] = std::move(memory);
  const EnergyUsed energy = energy_between(before.nvml, after.nvml);
  out["energy"]["device"] = {{"joules", or_null(energy.joules)}, {"reason", energy.reason}};
  Json& machine = out["machine"];
  machine["device_sm_megahertz"] = or_null(after.nvml.sm_megahertz.value);
  const TimingDoubts doubts = timing_doubts(before.nvml, after.nvml, seconds);
  for (const std::string& one : doubts.reasons) machine["doubts"].push_back(one);
  for (const std::string& one : doubts.unknown) machine["unknown"].push_back(one);
}

/// What the device is expected to hold: all but an embedding of its own, whose rows the host looks up. Activations are
/// those of the CPU's kernels; what ATen's operations and its allocator take beside them was not measured on a GPU.
uint64_t predicted_on_device(const GenerationBytes& needs, const models::ModelConfig& config,
                             models::Dtype dtype) {
  const auto values = static_cast<uint64_t>(config.vocabulary_size * config.width);
  return needs.total() -
         (config.tied_embeddings ? 0 : values * c10::elementSize(models::scalar_type(dtype)));
}

}  // namespace

Json measure_child(const Experiment& experiment, const ChildRequest& request) {
  using Clock = std::chrono::steady_clock;
  const auto dtype = models::parse_dtype(experiment.dtype);
  use_threads(experiment.threads);
  const models::ComputeDevice device = device_of(experiment);
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
  models::reset_device_peak(device.device);
  const DeviceReadings device_before = read_device(device);
  const MachineReadings before = read_machine();
  const auto timed = Clock::now();
  const metrics::GenerationTimes g = metrics::measure_generation(
      decoder, prompts, {.tokens = request.tokens, .repetitions = request.repetitions});
  const double seconds = std::chrono::duration<double>(Clock::now() - timed).count();
  const MachineReadings after = read_machine();
  const DeviceReadings device_after = read_device(device);
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
  // The model is not in this process' memory then, and what a device's libraries take of it is not known beforehand.
  if (!device.is_cpu()) out["memory"]["predicted_peak_bytes"] = nullptr;
  const TimingDoubts doubts =
      timing_doubts(before, after, seconds, static_cast<int>(available_threads()));
  const EnergyUsed energy = energy_between(before, after);
  out["machine"] = {{"seconds", seconds}, {"doubts", doubts.reasons}, {"unknown", doubts.unknown}};
  out["energy"] = {{"joules", or_null(energy.joules)}, {"reason", energy.reason}};
  add_device(out, device, device_before, device_after, seconds,
             predicted_on_device(needs, config, dtype));
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
