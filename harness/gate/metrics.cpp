// The metrics that a tolerance can name.

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "harness/gate/evidence.h"

namespace plumb::harness {
namespace {

using Kind = Metric::Kind;

const std::vector<Metric>& all_metrics() {
  static const std::vector<Metric> all = {
      {"loss", "loss_nats", "nats", 1, Kind::kDocuments, false},
      {"kl", "kl_nats", "nats", 1, Kind::kDocuments, false},
      {"same_top1", "same_top1", "1", -1, Kind::kDocuments, false},
      {"healed.loss", "healed_loss_nats", "nats", 1, Kind::kDocuments, false},
      {"acc", "acc", "1", -1, Kind::kAnswers, false},
      {"acc_norm", "acc_norm", "1", -1, Kind::kAnswers, false},
      {"healed.acc", "healed_accuracy", "1", -1, Kind::kEstimate, false},
      {"f0", "f0", "fraction of blocks", 0, Kind::kEstimate, false},
      {"prefill.ms", "prefill_ms", "ms", 1, Kind::kTimes, false},
      {"prefill.tok_s", "prefill_ms", "tokens/s", -1, Kind::kTimes, true},
      {"prefill_blocks.ms", "prefill_blocks_ms", "ms", 1, Kind::kTimes, false},
      {"decode.ms", "decode_ms_per_token", "ms", 1, Kind::kTimes, false},
      {"decode.tok_s", "decode_ms_per_token", "tokens/s", -1, Kind::kTimes, true},
      {"peak_rss", "peak_resident_bytes", "bytes", 1, Kind::kBytes, false},
      {"weight_bytes", "weight_bytes", "bytes", 1, Kind::kBytes, false},
      {"block_bytes", "block_bytes", "bytes", 1, Kind::kBytes, false}};
  return all;
}

bool has_prefix(Kind kind, const std::string& name) {
  return kind == Kind::kAnswers || kind == Kind::kEstimate || name == "loss";
}

}  // namespace

std::optional<NamedMetric> find_metric(const std::string& name) {
  for (const Metric& metric : all_metrics()) {
    const bool asks = metric.kind == Kind::kAnswers || metric.name == "healed.acc";
    if (metric.name == name) return NamedMetric{metric, asks ? "*" : ""};
    const std::string ending = "." + metric.name;
    if (has_prefix(metric.kind, metric.name) && name.size() > ending.size() &&
        name.ends_with(ending) && name != "healed.loss" && name != "healed.acc")
      if (const std::string of = name.substr(0, name.size() - ending.size());
          !of.ends_with(".healed") || metric.name != "acc")
        return NamedMetric{metric, of};
  }
  return std::nullopt;
}

std::string known_metrics() {
  std::string out;
  for (const Metric& metric : all_metrics()) {
    const bool task = metric.kind == Kind::kAnswers || metric.name == "healed.acc";
    out += text(out.empty() ? "" : ", ", task ? "TASK." : "", metric.name);
  }
  return out + ", TEXT.loss, TASK.f0";
}

bool is_plan(const std::string& series_plan, const std::string& asked) {
  return asked.empty() ? series_plan.ends_with(":0") : series_plan == asked;
}

Evidence refused(const Tolerance& tolerance, VerdictKind kind, const std::string& reason,
                 const std::string& next_step) {
  Evidence out;
  out.finding.tolerance = tolerance;
  out.finding.verdict.kind = kind;
  out.finding.verdict.reason = reason;
  out.finding.verdict.next_step = next_step;
  out.refused = true;
  return out;
}

Evidence missing(const GateContext& context, const NamedMetric& metric, const Tolerance& tolerance,
                 bool in_baseline, bool in_candidate) {
  const GateSnapshot& without = in_baseline ? context.candidate : context.baseline;
  std::string why;
  for (const GateSnapshot* side : {&without, &context.candidate})
    if (const auto found = side->absent.find(metric.metric.record);
        why.empty() && found != side->absent.end())
      why = ": " + found->second;
  const std::string where = in_baseline    ? "it is not in the candidate"
                            : in_candidate ? "it is not in the baseline"
                                           : "it is in neither run";
  Evidence out =
      refused(tolerance, VerdictKind::kNotRun, where + why,
              "measure it in both runs, or name a plan that both have, such as loss[similarity:7]");
  out.finding.verdict.required = true;
  return out;
}

}  // namespace plumb::harness
