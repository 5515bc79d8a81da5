#include "harness/gate/snapshot.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/gate/baseline_file.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRepeated = "repetitions of a run have one model, text, protocol and machine";

template <typename Series>
auto find_like(std::vector<Series>& all, const Series& one) {
  return std::ranges::find_if(
      all, [&](const Series& s) { return s.metric == one.metric && s.plan == one.plan; });
}

void require_repetition(const GateSnapshot& first, const GateSnapshot& other) {
  const auto require = [&](const char* group, const FactMap& a, const FactMap& b) {
    if (const std::string difference = first_difference(a, b); !difference.empty())
      throw Error(ErrorKind::kIncomparable,
                  text("'", printable(first.source), "' and '", printable(other.source),
                       "' differ in ", group, " ", printable(difference), "; ", kRepeated));
  };
  require("model", first.model, other.model);
  require("loss", first.loss, other.loss);
  require("cost", first.cost, other.cost);
  require("system", first.system, other.system);
}

/// A copy of a run has no noise of its own, and would make times look sure.
void require_other_times(const GateSnapshot& first, const GateSnapshot& other) {
  for (const RepeatedSeries& series : first.repeated)
    for (const RepeatedSeries& same : other.repeated)
      if (same.metric == series.metric && same.plan == series.plan &&
          !series.metric.ends_with("_bytes") && same.runs == series.runs)
        throw Error(ErrorKind::kUsage,
                    text("'", printable(other.source), "' has the very times of '",
                         printable(first.source), "'; needed are runs, not one run twice"));
}

void join_documents(GateSnapshot& into, std::vector<GateSnapshot>& runs) {
  for (DocumentSeries& series : into.documents) {
    double low = mean(series.values), high = low;
    bool known = true;
    for (size_t i = 1; i < runs.size(); ++i) {
      const auto other = find_like(runs[i].documents, series);
      if (other == runs[i].documents.end() || other->documents != series.documents) {
        known = false;
        continue;
      }
      low = std::min(low, mean(other->values));
      high = std::max(high, mean(other->values));
    }
    if (known) series.noise_floor = high - low;
  }
}

}  // namespace

std::string GateSnapshot::model_sha256() const {
  const auto found = model.find("sha256");
  return found == model.end() ? "" : found->second;
}

std::string first_difference(const FactMap& a, const FactMap& b,
                             const std::vector<std::string>& left_out) {
  const auto value = [](const FactMap& facts, const std::string& name) {
    const auto found = facts.find(name);
    return found == facts.end() ? std::string("nothing") : "'" + found->second + "'";
  };
  for (const FactMap* facts : {&a, &b})
    for (const auto& [name, ignored] : *facts)
      if (std::ranges::find(left_out, name) == left_out.end() && value(a, name) != value(b, name))
        return text(name, ": ", value(a, name), " and ", value(b, name));
  return "";
}

GateSnapshot joined(std::vector<GateSnapshot> runs) {
  if (runs.empty()) throw Error(ErrorKind::kInvariant, "no runs to join");
  for (size_t i = 1; i < runs.size(); ++i) {
    require_repetition(runs[0], runs[i]);
    for (size_t j = 0; j < i; ++j) require_other_times(runs[j], runs[i]);
  }
  GateSnapshot out = runs[0];
  if (runs.size() == 1) return out;
  join_documents(out, runs);
  for (size_t i = 1; i < runs.size(); ++i) {
    for (const RepeatedSeries& series : runs[i].repeated) {
      const auto first = find_like(out.repeated, series);
      if (first == out.repeated.end())
        out.repeated.push_back(series);
      else
        first->runs.insert(first->runs.end(), series.runs.begin(), series.runs.end());
    }
    out.invalid.insert(out.invalid.end(), runs[i].invalid.begin(), runs[i].invalid.end());
  }
  return out;
}

GateSnapshot joined_runs(const std::vector<std::string>& folders) {
  std::vector<GateSnapshot> runs;
  for (const std::string& folder : folders) runs.push_back(read_run_snapshot(folder));
  return joined(std::move(runs));
}

GateSnapshot read_snapshot(const fs::path& path) {
  std::error_code status;
  if (!fs::exists(path, status))
    throw Error(ErrorKind::kIncomparable,
                text("'", printable(path.string()),
                     "' is not there; needed is a run folder or a baseline, which "
                     "`plumb baseline update --baseline FILE --from RUN` makes"));
  if (fs::is_directory(path, status)) return read_run_snapshot(path);
  try {
    return parse_baseline(read_file(path));
  } catch (const Error& error) {
    if (std::string(error.what()).find(path.string()) != std::string::npos) throw;
    throw error.within(printable(path.string()));
  }
}

}  // namespace plumb::harness
