#include "harness/pipeline/accuracy_json.h"

#include <algorithm>

namespace plumb::harness {

using Json = nlohmann::ordered_json;

Json interval_json(const Interval& interval) {
  return {{"low", interval.low},
          {"high", interval.high},
          {"level", interval.level},
          {"method", interval.method}};
}

namespace {

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json pair_json(const PairedSummary& pair, bool with_flatness) {
  Json out = {{"difference", pair.difference},
              {"low", pair.interval.low},
              {"high", pair.interval.high},
              {"method", pair.interval.method},
              {"only_this_right", pair.counts.only_first},
              {"only_other_right", pair.counts.only_second},
              {"p", pair.p},
              {"p_holm", pair.p_holm},
              {"p_bh", pair.p_bh},
              {"detectable_difference", number_or_null(pair.detectable)}};
  if (with_flatness)
    out["no_worse"] = {{"margin", kFlatMargin},
                       {"p", pair.flat.p},
                       {"lower_bound", pair.flat.lower_bound},
                       {"shown", pair.flat.shown}};
  return out;
}

Json comparison_json(const std::vector<PlanComparison>& comparisons, size_t plan,
                     bool with_flatness) {
  for (const PlanComparison& c : comparisons)
    if (c.plan == plan) return pair_json(c.pair, with_flatness);
  return nullptr;
}

Json calibrated_json(const std::optional<CalibratedAccuracy>& calibrated) {
  if (!calibrated) return nullptr;
  Json out = {{"value", calibrated->value}};
  out["interval"] = calibrated->interval ? interval_json(*calibrated->interval) : Json();
  return out;
}

Json collapse_json(const Collapse& c) {
  Json shapes = Json::array();
  for (const ShapeScore& shape : c.shapes)
    shapes.push_back({{"shape", shape.shape}, {"bic", shape.bic}});
  return {{"shown", c.shown},
          {"sharp", c.sharp},
          {"f0", c.logistic.centre},
          {"f0_interval", interval_json(c.f0)},
          {"width", c.logistic.width},
          {"width_interval", interval_json(c.width)},
          {"upper", c.logistic.upper},
          {"lower", c.logistic.lower},
          {"breakpoint", c.segmented.breakpoint},
          {"breakpoint_interval", interval_json(c.breakpoint)},
          {"grid_step", c.grid_step},
          {"at_range_end", c.at_range_end},
          {"shapes", shapes}};
}

Json falling_json(const MonotoneTest& test) {
  return {{"statistic", test.statistic}, {"p", test.p}, {"fit", test.fit}};
}

Json error_json(const std::optional<double>& error) { return error ? Json(*error) : Json("N/A"); }

}  // namespace

Json accuracies_json(const AccuracySummary& s) {
  const bool grouped = s.answered.role == ClusterRole::kGroups;
  Json rows = Json::array();
  for (size_t i = 0; i < s.plans.size(); ++i) {
    const PlanAccuracy& plan = s.plans[i];
    Json row = {{"strategy", s.answered.plans[i].strategy},
                {"n", s.answered.plans[i].n},
                {"removed", s.answered.plans[i].removed},
                {"metric", s.answered.metric},
                {"right", plan.right},
                {"accuracy", plan.accuracy},
                {"low", plan.interval.low},
                {"high", plan.interval.high},
                {"method", plan.interval.method}};
    row["other_interval"] = plan.other_interval ? interval_json(*plan.other_interval) : Json();
    row["stderr"] = number_or_null(plan.averages.micro_error);
    row["macro"] = grouped ? Json(plan.averages.macro) : Json();
    row["macro_stderr"] = grouped ? number_or_null(plan.averages.macro_error) : Json();
    row["p_above_chance"] = plan.p_above_chance;
    row["calibrated"] = calibrated_json(plan.calibrated);
    row["against_whole"] = comparison_json(s.against_whole, i, s.above_chance);
    row["against_simple"] = comparison_json(s.against_simple, i, false);
    rows.push_back(std::move(row));
  }
  return rows;
}

Json curves_json(const AccuracySummary& s) {
  Json rows = Json::array();
  for (const AccuracyCurve& curve : s.curves) {
    Json row = {{"strategy", curve.strategy}, {"metric", s.answered.metric}};
    row["average"] = s.over_groups() ? "macro" : "micro";
    row["not_run"] = curve.not_run.empty() ? Json() : Json(curve.not_run);
    row["flat_to_n"] = curve.not_run.empty() ? Json(curve.flat_to) : Json();
    row["collapse"] = curve.collapse ? collapse_json(*curve.collapse) : Json();
    row["falling"] = curve.falling ? falling_json(*curve.falling) : Json();
    rows.push_back(std::move(row));
  }
  return rows;
}

Json lm_eval_results(const AccuracySummary& s, size_t plan, bool is_group) {
  const AnsweredTask& a = s.answered;
  const std::string value = a.metric + ",none", error = a.metric + "_stderr,none";
  const Averages& all = s.plans[plan].averages;
  Json out = {{a.task,
               {{"alias", a.task},
                {value, all.micro},
                {error, error_json(is_group ? all.pooled_error : all.micro_error)}}}};
  if (!is_group) return out;
  for (size_t cluster = 0; cluster < a.cluster_names.size(); ++cluster) {
    GroupCount group;
    for (size_t q = 0; q < a.clusters.size(); ++q) {
      if (a.clusters[q] != static_cast<int64_t>(cluster)) continue;
      group.right += a.right[plan][q];
      ++group.questions;
    }
    const Averages one = averages(std::span(&group, 1));
    const std::string name = a.task + "_" + a.cluster_names[cluster];
    out[name] = {{"alias", a.cluster_names[cluster]},
                 {value, one.micro},
                 {error, error_json(one.micro_error)}};
  }
  return out;
}

}  // namespace plumb::harness
