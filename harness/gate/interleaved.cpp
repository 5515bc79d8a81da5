#include "harness/gate/interleaved.h"

#include <filesystem>

#include "base/error.h"
#include "harness/pipeline/run.h"
#include "harness/pipeline/stages.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {
namespace {

/// What a run of this experiment would say that it is about; nothing of a text, as there is none.
GateSnapshot side_of(const Experiment& experiment) {
  Run run;
  run.experiment = experiment;
  const auto checkpoint = models::Checkpoint::open(experiment.model);
  if (const std::string refusal = cost_refusal(experiment, checkpoint.config()); !refusal.empty())
    throw Error(ErrorKind::kResource, refusal);
  run.model = model_facts(checkpoint, experiment.model_origin);
  run.environment = environment();
  run.libraries = library_facts(experiment.device);
  GateSnapshot out;
  out.source = std::filesystem::path(experiment.model).filename().string();
  for (const auto& [group, facts] : subject_of(run)) {
    FactMap* to = group == "model"    ? &out.model
                  : group == "cost"   ? &out.cost
                  : group == "system" ? &out.system
                                      : nullptr;
    if (to != nullptr) to->insert(facts.begin(), facts.end());
  }
  return out;
}

void add_run(const metrics::Cost& cost, GateSnapshot& to) {
  const auto add = [&](const char* metric, std::vector<double> values) {
    for (RepeatedSeries& series : to.repeated)
      if (series.metric == metric) {
        series.runs.push_back(std::move(values));
        return;
      }
    to.repeated.push_back({metric, "simple:0", {std::move(values)}});
  };
  add("prefill_ms", cost.prefill_ms);
  add("prefill_blocks_ms", cost.prefill_blocks_ms);
  add("decode_ms_per_token", cost.decode_ms_per_token);
  add("peak_resident_bytes", {static_cast<double>(cost.peak_resident_bytes)});
  add("weight_bytes", {static_cast<double>(cost.weight_bytes)});
  add("block_bytes", {static_cast<double>(cost.block_bytes)});
}

}  // namespace

InterleavedSides measure_interleaved(const Experiment& baseline, const Experiment& candidate,
                                     int64_t rounds, const std::string& program,
                                     const Console& console) {
  InterleavedSides out{side_of(baseline), side_of(candidate)};
  Progress progress(console, "gate: process");
  for (int64_t i = 0; i < 2 * rounds; ++i) {
    progress.update(i, 2 * rounds);
    const bool first = (i % 2 == 0) == (i / 2 % 2 == 0);  // A B, B A, A B, ..
    add_run(cost_point(first ? baseline : candidate, 0, program).cost,
            first ? out.baseline : out.candidate);
  }
  return out;
}

}  // namespace plumb::harness
