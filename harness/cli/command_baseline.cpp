#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/statistics/summary.h"
#include "harness/cli/common.h"
#include "harness/gate/baseline_file.h"

namespace plumb::harness {

namespace {

/// Runs of a baseline after which a gate plans with what times differ by from run to run.
constexpr size_t kKnownNoise = 3;

std::vector<Flag> flags() {
  return {{"action", "update|show", "", "make or replace the file from runs; say what it holds"},
          {"--baseline", "FILE", "", "the baseline file"},
          {"--from", "DIR", "",
           "with update: the folder of a run; given again, repetitions of it, whose differences "
           "are the noise; of times three or more are needed to know it"},
          {"--dry-run", "", "", "with update: say what would change, and write nothing"}};
}

nlohmann::ordered_json facts_json(const FactMap& facts) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const auto& [name, value] : facts) out[name] = printable(value);
  return out;
}

/// "decode_ms_per_token simple:0: 3 runs, medians 10.1 to 10.4".
std::string runs_text(const RepeatedSeries& series) {
  std::vector<double> medians;
  for (const auto& run : series.runs) medians.push_back(median(run));
  const auto [least, greatest] = std::ranges::minmax(medians);
  const std::string name = text(series.metric, " ", printable(series.plan), ": ");
  if (medians.size() == 1) return text(name, "one run, median ", number_text(least, 5));
  return text(name, medians.size(), " runs, medians ", number_text(least, 5), " to ",
              number_text(greatest, 5));
}

int update(const Arguments& arguments, const Console& console) {
  const std::filesystem::path file = arguments.require("--baseline");
  if (!arguments.has("--from")) throw Error(ErrorKind::kUsage, "--from is missing; see --help");
  std::vector<GateSnapshot> runs;
  for (const std::string& folder : arguments.values.at("--from")) {
    runs.push_back(read_run_snapshot(folder));
    if (!runs.back().invalid.empty())
      throw Error(ErrorKind::kIncomparable,
                  text("'", printable(folder), "' is INVALID: ", printable(runs.back().invalid[0]),
                       "; needed is a run that can be believed, the baseline stays as it was"));
  }
  const GateSnapshot after = joined(std::move(runs));
  if (after.documents.empty() && after.repeated.empty() && !after.answers)
    throw Error(ErrorKind::kInput, text("'", printable(after.source),
                                        "' holds no losses, answers or costs to compare with"));
  std::vector<std::string> changes;
  const bool there = std::filesystem::exists(file);
  if (there) changes = baseline_changes(read_snapshot(file), after);
  if (!arguments.has("--dry-run")) write_file_atomically(file, baseline_text(after));

  nlohmann::ordered_json said = nlohmann::ordered_json::array();
  for (const std::string& change : changes) {
    said.push_back(printable(change));
    console.say(printable(change));
  }
  console.result({{"baseline", file.string()},
                  {"written", !arguments.has("--dry-run")},
                  {"new", !there},
                  {"changes", said}});
  console.say(
      text(arguments.has("--dry-run") ? "would write " : "wrote ", printable(file.string()),
           there ? "" : ", which is new", ": ",
           there ? text(changes.size(), " changes") : text("from ", printable(after.source))));
  if (const auto count = arguments.values.at("--from").size();
      !after.repeated.empty() && count < kKnownNoise)
    console.say(text("its times are of ", count, count == 1 ? " run" : " runs", "; ", kKnownNoise,
                     " tell what runs differ by (--from again for each)"));
  return 0;
}

int show(const Arguments& arguments, const Console& console) {
  const GateSnapshot s = read_snapshot(arguments.require("--baseline"));
  nlohmann::ordered_json numbers = nlohmann::ordered_json::array();
  for (const std::string& line : baseline_changes(GateSnapshot{}, s))
    numbers.push_back(printable(line));
  console.result({{"source", printable(s.source)},
                  {"model", facts_json(s.model)},
                  {"loss", facts_json(s.loss)},
                  {"cost", facts_json(s.cost)},
                  {"system", facts_json(s.system)},
                  {"numbers", numbers}});
  for (const auto& [group, facts] : {std::pair("model", &s.model), std::pair("loss", &s.loss),
                                     std::pair("cost", &s.cost), std::pair("system", &s.system)})
    for (const auto& [name, value] : *facts)
      console.say(text(group, " ", printable(name), ": ", printable(value)));
  for (const DocumentSeries& d : s.documents)
    console.say(
        text(d.metric, " ", printable(d.plan), ": ", number_text(mean(d.values), 5), " over ",
             d.documents.size(), " documents",
             d.noise_floor ? text(", runs differ by ", number_text(*d.noise_floor, 3)) : ""));
  for (const RepeatedSeries& r : s.repeated) console.say(runs_text(r));
  for (const Estimate& e : s.estimates)
    console.say(text(e.metric, " ", printable(e.task), " ", printable(e.plan), ": ",
                     with_interval(e.value, e.interval)));
  if (s.answers)
    for (const TaskLog& task : s.answers->tasks)
      console.say(text(printable(task.task), ": ", task.plans.size(), " plans, ",
                       task.questions.size(), " questions"));
  return 0;
}

int run_baseline(const Arguments& arguments, const Console& console) {
  const std::string action = arguments.require("action");
  if (action == "update") return update(arguments, console);
  if (action == "show") return show(arguments, console);
  throw Error(ErrorKind::kUsage,
              text("there is no 'plumb baseline ", printable(action), "', needed update or show"));
}

}  // namespace

Command baseline_command() {
  return {"baseline", "what a gate compares with: made from runs, shown, kept in git",
          "plumb baseline update --baseline baseline.json --from runs/a --from runs/b", flags(),
          run_baseline};
}

}  // namespace plumb::harness
