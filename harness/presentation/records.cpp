// Every measured number as a record: what results.json holds.

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

void add_distances(const Shown& shown, std::vector<Record>& out) {
  for (const PairDistance& pair : shown.pairs)
    out.push_back({.name = "distance",
                   .dimensions = {{"n", pair.n}, {"l", pair.l}},
                   .value = pair.mean,
                   .unit = "half turns",
                   .interval = pair.interval,
                   .samples_file = "distances_documents.csv",
                   .higher_is_better = false});
  for (const PairDistance& pair : shown.post_norm)
    out.push_back({.name = "distance_post_norm",
                   .dimensions = {{"n", pair.n}, {"l", pair.l}},
                   .value = pair.mean,
                   .unit = "half turns",
                   .interval = pair.interval,
                   .higher_is_better = false});
  const auto& influence = shown.run.profile.profile.block_influence;
  for (size_t block = 0; block < influence.size(); ++block)
    out.push_back({.name = "block_influence",
                   .dimensions = {{"block", static_cast<int64_t>(block)}},
                   .value = influence[block],
                   .unit = "1"});
  for (const auto& start : shown.run.plans.starts) {
    out.push_back({.name = "best_start",
                   .dimensions = {{"n", start.n}},
                   .value = start.first,
                   .unit = "block"});
    out.push_back({.name = "best_start_stability",
                   .dimensions = {{"n", start.n}},
                   .value = start.stability,
                   .unit = "1",
                   .higher_is_better = true});
  }
}

/// A measure that may be absent.
void add_measured(const char* name, const char* unit, const std::optional<MeasuredMean>& measured,
                  const char* why_absent, const std::vector<Dimension>& dimensions,
                  std::vector<Record>& out) {
  Record& record = out.emplace_back();
  record.name = name;
  record.dimensions = dimensions;
  record.unit = unit;
  record.higher_is_better = std::string(name) == "same_top1";
  if (!measured) {
    record.absent_reason = why_absent;
    return;
  }
  record.value = measured->mean;
  record.interval = measured->interval;
  record.samples_file = "loss_documents.csv";
}

void add_losses(const Shown& shown, std::vector<Record>& out) {
  for (size_t i = 0; i < shown.run.sweep.plans.size(); ++i) {
    const auto& plan = shown.run.sweep.plans[i];
    const PlanLoss& loss = shown.losses[i];
    const std::vector<Dimension> dimensions = {
        {"strategy", plan.strategy}, {"n", plan.removed_count()}, {"removed", plan.removed_text()}};
    out.push_back({.name = "loss_nats",
                   .dimensions = dimensions,
                   .value = loss.loss_nats,
                   .unit = "nats",
                   .interval = loss.nats,
                   .samples = shown.run.sweep.losses.loss_nats[i],
                   .higher_is_better = false});
    const auto add = [&](const char* name, const char* unit, const auto& measured,
                         const char* why) {
      add_measured(name, unit, measured, why, dimensions, out);
    };
    add("perplexity", "1", loss.perplexity, kTooLargePerplexity);
    add("divergence_nats", "nats", loss.divergence_nats, kNoWholeModel);
    add("same_top1", "1", loss.same_top, kNoWholeModel);
    out.push_back({.name = "loss_normalised",
                   .dimensions = dimensions,
                   .value = loss.normalised,
                   .unit = "1",
                   .interval = loss.interval,
                   .samples_file = "loss_documents.csv",
                   .higher_is_better = false});
  }
  const auto& losses = shown.run.sweep.losses;
  const auto count = [&](const char* name, int64_t value) {
    out.push_back({.name = name, .value = value, .unit = "1"});
  };
  count("block_evaluations", losses.block_evaluations);
  count("block_evaluations_alone", losses.block_evaluations_alone);
  count("plans_distinct", losses.plans_distinct);
  count("positions_per_document", losses.positions_per_document);
}

void add_costs(const Shown& shown, std::vector<Record>& out) {
  if (!shown.run.cost) return;
  for (const CostPoint& point : shown.run.cost->points) {
    const std::vector<Dimension> dimensions = {{"strategy", std::string("simple")}, {"n", point.n}};
    const auto bytes = [&](const char* name, uint64_t value) {
      out.push_back({.name = name,
                     .dimensions = dimensions,
                     .value = static_cast<int64_t>(value),
                     .unit = "bytes",
                     .higher_is_better = false});
    };
    const auto times = [&](const char* name, const std::vector<double>& samples) {
      out.push_back({.name = name,
                     .dimensions = dimensions,
                     .value = median(samples),
                     .unit = "ms",
                     .samples = samples,
                     .higher_is_better = false});
    };
    bytes("block_bytes", point.cost.block_bytes);
    bytes("weight_bytes", point.cost.weight_bytes);
    bytes("peak_resident_bytes", point.cost.peak_resident_bytes);
    bytes("baseline_resident_bytes", point.cost.baseline_resident_bytes);
    times("prefill_ms", point.cost.prefill_ms);
    times("prefill_blocks_ms", point.cost.prefill_blocks_ms);
    times("decode_ms_per_token", point.cost.decode_ms_per_token);
  }
}

}  // namespace

std::vector<Record> records_of(const Shown& shown) {
  std::vector<Record> out;
  add_losses(shown, out);
  add_costs(shown, out);
  add_distances(shown, out);
  return out;
}

}  // namespace plumb::harness
