// A baseline file as it may come from anyone.

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/gate/baseline_file.h"
#include "reports/versioned.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kInput, what); }

FactMap facts_from(const Json& json) {
  FactMap out;
  for (const auto& [name, value] : json.items()) out[name] = value.get<std::string>();
  return out;
}

DocumentSeries documents_from(const Json& j) {
  DocumentSeries out{j.at("metric"),    j.at("plan"),   j.at("removed"),
                     j.at("documents"), j.at("values"), {}};
  const std::string name = out.metric + " of " + out.plan;
  if (out.documents.size() != out.values.size())
    refuse(text(name, ": ", out.values.size(), " values of ", out.documents.size(), " documents"));
  if (std::ranges::adjacent_find(out.documents, std::greater_equal<>()) != out.documents.end())
    refuse(name + ": documents are not in rising order");
  if (!j.at("noise_floor").is_null()) out.noise_floor = j["noise_floor"].get<double>();
  return out;
}

std::vector<uint8_t> bits_from(const std::string& word, size_t needed, const std::string& name) {
  if (word.size() != needed)
    refuse(text(name, ": ", word.size(), " answers to ", needed, " questions"));
  std::vector<uint8_t> out;
  for (const char c : word) {
    if (c != '0' && c != '1') refuse(name + ": an answer is neither 0 nor 1");
    out.push_back(c == '1' ? 1 : 0);
  }
  return out;
}

LoggedPlan plan_from(const Json& j, size_t questions, const std::string& task) {
  LoggedPlan out;
  out.strategy = j.at("strategy");
  out.n = j.at("n");
  out.removed = j.at("removed");
  const std::string name = text("answers of ", out.name(), " to ", task);
  std::set<uint32_t> seen;
  for (const Json& q : j.at("questions")) {
    const auto number = q.get<int64_t>();
    if (number < 0 || number >= static_cast<int64_t>(questions) ||
        !seen.insert(static_cast<uint32_t>(number)).second)
      refuse(text(name, ": question ", number, " of ", questions, ", or it twice"));
    out.questions.push_back(static_cast<uint32_t>(number));
  }
  out.right = bits_from(j.at("right"), out.questions.size(), name);
  if (j.contains("right_normalised"))
    out.right_normalised = bits_from(j["right_normalised"], out.questions.size(), name);
  return out;
}

TaskLog task_from(const Json& j) {
  TaskLog out;
  out.task = j.at("task");
  std::set<std::string> seen;
  for (const Json& q : j.at("questions")) {
    out.questions.push_back({q.at("doc_hash"), q.at("prompt_hash"), q.at("target_hash"),
                             q.at("cluster"), q.at("doc_id")});
    const LoggedQuestion& one = out.questions.back();
    if (!seen.insert(text(one.doc_hash, one.target_hash, one.doc_id)).second)
      refuse(text("question ", one.doc_id, " of ", out.task, " stands twice"));
  }
  for (const Json& p : j.at("plans"))
    out.plans.push_back(plan_from(p, out.questions.size(), out.task));
  return out;
}

Estimate estimate_from(const Json& j) {
  return {j.at("metric"),
          j.at("task"),
          j.at("plan"),
          j.at("value"),
          {j.at("low"), j.at("high"), j.at("level"), j.at("method")}};
}

}  // namespace

GateSnapshot parse_baseline(std::string_view bytes) {
  const Json json = reports::read_versioned(bytes, reports::baseline_schema(),
                                            reports::kBaselineVersion, "baseline");
  try {
    GateSnapshot out;
    out.source = json.at("source");
    out.model = facts_from(json.at("model"));
    out.loss = facts_from(json.at("loss"));
    out.cost = facts_from(json.at("cost"));
    out.system = facts_from(json.at("system"));
    for (const Json& j : json.at("documents")) out.documents.push_back(documents_from(j));
    for (const Json& j : json.at("repetitions")) {
      out.repeated.push_back({j.at("metric"), j.at("plan"), {}});
      for (const Json& run : j.at("runs")) {
        out.repeated.back().runs.push_back(run.get<std::vector<double>>());
        if (out.repeated.back().runs.back().empty()) refuse("a run without repetitions");
      }
      if (out.repeated.back().runs.empty()) refuse("repetitions of no run");
    }
    for (const Json& j : json.at("estimates")) out.estimates.push_back(estimate_from(j));
    AnswerLog answers{out.source, {}};
    for (const Json& j : json.at("answers")) answers.tasks.push_back(task_from(j));
    if (!answers.tasks.empty()) out.answers = std::move(answers);
    out.absent = facts_from(json.at("absent"));
    return out;
  } catch (const nlohmann::json::exception& error) {
    refuse(text("the baseline has another form: ", json_fault(error.what())));
  }
}

}  // namespace plumb::harness
