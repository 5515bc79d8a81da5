#include "harness/gate/baseline_file.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "reports/escape.h"
#include "reports/versioned.h"

namespace plumb::harness {
namespace {

using Sorted = nlohmann::json;  // std::map: keys in one order

Sorted facts_json(const FactMap& facts) {
  Sorted out = Sorted::object();
  for (const auto& [name, value] : facts)
    out[reports::repair_utf8(name)] = reports::repair_utf8(value);
  return out;
}

void require_finite(double value, const std::string& what) {
  if (!std::isfinite(value))
    throw Error(ErrorKind::kInvariant, text("baseline: ", what, " is ", value));
}

std::string bits_text(const std::vector<uint8_t>& bits) {
  std::string out;
  out.reserve(bits.size());
  for (const uint8_t bit : bits) out += bit != 0 ? '1' : '0';
  return out;
}

Sorted task_json(const TaskLog& task) {
  Sorted questions = Sorted::array(), plans = Sorted::array();
  for (const LoggedQuestion& q : task.questions)
    questions.push_back({{"doc_id", q.doc_id},
                         {"doc_hash", q.doc_hash},
                         {"prompt_hash", q.prompt_hash},
                         {"target_hash", q.target_hash},
                         {"cluster", reports::repair_utf8(q.cluster)}});
  for (const LoggedPlan& p : task.plans) {
    Sorted plan = {{"strategy", p.strategy},
                   {"n", p.n},
                   {"removed", p.removed},
                   {"questions", p.questions},
                   {"right", bits_text(p.right)}};
    if (!p.right_normalised.empty()) plan["right_normalised"] = bits_text(p.right_normalised);
    plans.push_back(std::move(plan));
  }
  return {{"task", task.task}, {"questions", questions}, {"plans", plans}};
}

bool is_flat(const Sorted& json) {
  return std::ranges::none_of(json, [](const Sorted& part) { return part.is_structured(); });
}

/// Indented where something nests, on one line where nothing does; but for the groups of facts at the top.
void write(const Sorted& json, int depth, std::string& out) {
  const bool one_line = !json.is_structured() || json.empty() || (depth > 1 && is_flat(json)) ||
                        (json.is_array() && is_flat(json));
  if (one_line) {
    out += json.dump();
    return;
  }
  const std::string indent(static_cast<size_t>(depth + 1), ' ');
  out += json.is_object() ? "{" : "[";
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    out += (first ? "\n" : ",\n") + indent;
    first = false;
    if (json.is_object()) out += Sorted(key).dump() + ": ";
    write(value, depth + 1, out);
  }
  out += "\n" + std::string(static_cast<size_t>(depth), ' ') + (json.is_object() ? "}" : "]");
}

// What changes -------------------------------------------------------------------------------------------------------

/// Numbers by name, as people would compare them.
std::map<std::string, double> numbers_of(const GateSnapshot& s) {
  std::map<std::string, double> out;
  for (const DocumentSeries& d : s.documents) out[d.metric + " " + d.plan] = mean(d.values);
  for (const RepeatedSeries& r : s.repeated) {
    std::vector<double> all;
    for (const auto& run : r.runs) all.insert(all.end(), run.begin(), run.end());
    out[r.metric + " " + r.plan] = median(all);
  }
  for (const Estimate& e : s.estimates) out[e.metric + " " + e.task + " " + e.plan] = e.value;
  if (!s.answers) return out;
  for (const TaskLog& task : s.answers->tasks)
    for (const LoggedPlan& p : task.plans) {
      const auto right = std::ranges::count(p.right, 1);
      if (!p.right.empty())
        out[text(task.task, " acc ", p.name())] =
            static_cast<double>(right) / static_cast<double>(p.right.size());
    }
  return out;
}

void fact_changes(const std::string& group, const FactMap& a, const FactMap& b,
                  std::vector<std::string>& out) {
  for (const auto& [name, value] : a)
    if (const auto other = b.find(name); other == b.end())
      out.push_back(text(group, " ", name, ": ", value, " -> gone"));
    else if (other->second != value)
      out.push_back(text(group, " ", name, ": ", value, " -> ", other->second));
  for (const auto& [name, value] : b)
    if (!a.contains(name)) out.push_back(text(group, " ", name, ": new, ", value));
}

}  // namespace

std::string baseline_text(const GateSnapshot& s) {
  Sorted documents = Sorted::array(), repeated = Sorted::array(), estimates = Sorted::array();
  for (const DocumentSeries& d : s.documents) {
    for (const double value : d.values) require_finite(value, d.metric);
    documents.push_back({{"metric", d.metric},
                         {"plan", d.plan},
                         {"removed", d.removed},
                         {"documents", d.documents},
                         {"values", d.values},
                         {"noise_floor", d.noise_floor ? Sorted(*d.noise_floor) : Sorted()}});
  }
  for (const RepeatedSeries& r : s.repeated) {
    for (const auto& run : r.runs)
      for (const double value : run) require_finite(value, r.metric);
    repeated.push_back({{"metric", r.metric}, {"plan", r.plan}, {"runs", r.runs}});
  }
  for (const Estimate& e : s.estimates)
    estimates.push_back({{"metric", e.metric},
                         {"task", e.task},
                         {"plan", e.plan},
                         {"value", e.value},
                         {"low", e.interval.low},
                         {"high", e.interval.high},
                         {"level", e.interval.level},
                         {"method", e.interval.method}});
  Sorted answers = Sorted::array();
  if (s.answers)
    for (const TaskLog& task : s.answers->tasks) answers.push_back(task_json(task));
  const Sorted json = {{"schema_version", reports::kBaselineVersion.major},
                       {"schema_minor", reports::kBaselineVersion.minor},
                       {"made_by", version_line()},
                       {"source", reports::repair_utf8(s.source)},
                       {"model", facts_json(s.model)},
                       {"loss", facts_json(s.loss)},
                       {"cost", facts_json(s.cost)},
                       {"system", facts_json(s.system)},
                       {"documents", documents},
                       {"repetitions", repeated},
                       {"estimates", estimates},
                       {"answers", answers},
                       {"absent", facts_json(s.absent)}};
  std::string out;
  write(json, 0, out);
  return reports::escape_line_separators(out + "\n");
}

std::vector<std::string> baseline_changes(const GateSnapshot& before, const GateSnapshot& after) {
  std::vector<std::string> out;
  fact_changes("model", before.model, after.model, out);
  fact_changes("loss", before.loss, after.loss, out);
  fact_changes("cost", before.cost, after.cost, out);
  fact_changes("system", before.system, after.system, out);
  const auto a = numbers_of(before), b = numbers_of(after);
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    if (other == b.end()) {
      out.push_back(text(name, ": ", number_text(value, 5), " -> gone"));
    } else if (other->second != value) {
      std::string change =
          text(name, ": ", number_text(value, 5), " -> ", number_text(other->second, 5));
      if (value != 0)
        change += text(" (", other->second > value ? "+" : "",
                       number_text(100 * (other->second / value - 1), 3), " %)");
      out.push_back(std::move(change));
    }
  }
  for (const auto& [name, value] : b)
    if (!a.contains(name)) out.push_back(text(name, ": new, ", number_text(value, 5)));
  return out;
}

}  // namespace plumb::harness
