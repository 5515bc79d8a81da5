#include "harness/answers/comparison_files.h"

#include <filesystem>

#include "base/csv.h"
#include "harness/pipeline/accuracy_json.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::optional<Interval>& value) {
  return value ? interval_json(*value) : Json();
}

Json numbers_json(const Comparison& c) {
  Json json = {{"questions", c.counts.questions()},
               {"only_in_a", c.only_in_a},
               {"only_in_b", c.only_in_b},
               {"clusters", c.clusters},
               {"fixed_groups", c.fixed_groups},
               {"accuracy_a", c.accuracy_a},
               {"interval_a", interval_json(c.interval_a)},
               {"accuracy_b", c.accuracy_b},
               {"interval_b", interval_json(c.interval_b)},
               {"right_in_both", c.counts.both},
               {"right_in_a_alone", c.counts.only_second},
               {"right_in_b_alone", c.counts.only_first},
               {"right_in_none", c.counts.neither},
               {"difference", c.difference},
               {"interval", interval_json(c.interval)},
               {"interval_clustered", or_null(c.clustered)},
               {"p", c.p},
               {"p_holm", c.p_holm},
               {"lower_bound", c.non_inferiority.lower_bound},
               {"upper_bound", c.upper_bound},
               {"p_non_inferior", c.non_inferiority.p},
               {"p_inferior", c.p_inferior},
               {"p_inferior_holm", c.p_inferior_holm},
               {"minimum_detectable_difference", or_null(c.detectable)},
               {"more_questions", or_null(c.more_questions)}};
  if (c.log_share)
    json["log_share"] = {{"difference_nats", c.log_share->mean},
                         {"interval", interval_json(c.log_share->interval)},
                         {"interval_clustered", or_null(c.log_share->clustered)}};
  return json;
}

Json comparison_json(const Comparison& c) {
  Json json = {{"task", c.task},           {"metric", c.metric.empty() ? Json() : Json(c.metric)},
               {"plan_a", c.plans.a},      {"plan_b", c.plans.b},
               {"removed_a", c.removed_a}, {"removed_b", c.removed_b}};
  if (!c.metric.empty()) json.update(numbers_json(c));
  json["verdict"] = verdict_name(c.verdict.kind);
  json["reason"] = c.verdict.reason;
  json["next_step"] = c.verdict.next_step;
  return json;
}

void csv_numbers(const Comparison& c, CsvTable& table) {
  table.cell(c.counts.questions()).cell(c.only_in_a).cell(c.only_in_b);
  table.cell(c.accuracy_a).cell(c.interval_a.low).cell(c.interval_a.high);
  table.cell(c.accuracy_b).cell(c.interval_b.low).cell(c.interval_b.high);
  table.cell(c.counts.only_second).cell(c.counts.only_first);
  table.cell(c.difference).cell(c.interval.low).cell(c.interval.high).cell(c.clusters);
  if (c.clustered)
    table.cell(c.clustered->low).cell(c.clustered->high);
  else
    table.empty().empty();
  table.cell(c.p).cell(c.p_holm);
  table.cell(c.non_inferiority.lower_bound).cell(c.upper_bound).cell(c.p_inferior_holm);
  if (c.log_share)
    table.cell(c.log_share->mean).cell(c.log_share->interval.low).cell(c.log_share->interval.high);
  else
    table.empty().empty().empty();
}

/// The name without folders: the same files elsewhere give the same result.
std::string base_name(const std::string& name) {
  std::filesystem::path path(name);
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

}  // namespace

Json comparisons_json(const std::vector<Comparison>& comparisons, const AnswerLog& a,
                      const AnswerLog& b, const CompareOptions& options) {
  Json json = {{"a", base_name(a.name)},
               {"b", base_name(b.name)},
               {"margin", options.margin},
               {"level", 1 - options.alpha},
               {"seed", options.seed}};
  json["comparisons"] = Json::array();
  for (const Comparison& c : comparisons) json["comparisons"].push_back(comparison_json(c));
  return json;
}

std::string comparisons_csv(const std::vector<Comparison>& comparisons) {
  CsvTable table({"task",
                  "metric",
                  "plan_a",
                  "plan_b",
                  "verdict",
                  "questions",
                  "only_in_a",
                  "only_in_b",
                  "accuracy_a",
                  "low_a",
                  "high_a",
                  "accuracy_b",
                  "low_b",
                  "high_b",
                  "right_in_a_alone",
                  "right_in_b_alone",
                  "difference",
                  "low",
                  "high",
                  "clusters",
                  "low_clustered",
                  "high_clustered",
                  "p",
                  "p_holm",
                  "lower_bound",
                  "upper_bound",
                  "p_inferior_holm",
                  "log_share_difference_nats",
                  "log_share_low",
                  "log_share_high",
                  "removed_a",
                  "removed_b"});
  constexpr int kNumbers = 25;
  for (const Comparison& c : comparisons) {
    table.cell(c.task).cell(c.metric).cell(c.plans.a).cell(c.plans.b);
    table.cell(verdict_name(c.verdict.kind));
    if (c.metric.empty())
      for (int k = 0; k < kNumbers; ++k) table.empty();
    else
      csv_numbers(c, table);
    table.cell(c.removed_a).cell(c.removed_b);
    table.end_row();
  }
  return table.str();
}

}  // namespace plumb::harness
