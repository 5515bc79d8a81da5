#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "harness/cli/common.h"
#include "harness/cli/verdict_output.h"
#include "harness/gate/baseline_file.h"
#include "harness/gate/gate_files.h"
#include "harness/gate/history.h"
#include "harness/gate/interleaved.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/run.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return {{"action", "history", "", "list a history instead of judging"},
          {"--baseline", "PATH", "",
           "what was good: a baseline file, or the folder of a run; of runs, given again for each"},
          {"--candidate", "DIR", "",
           "the folder of the run to be judged; given again, further runs of it: a time fails only "
           "where two or more repeat it"},
          {"--tolerance", "T", "",
           "METRIC[PLAN]:abs|rel:LIMIT[:warn|fail], such as loss:rel:+1%; may be given again, and "
           "replaces the defaults loss:rel:+1%, *.acc:abs:-0.02, prefill.tok_s:rel:-5%, "
           "decode.tok_s:rel:-5%, peak_rss:rel:+2%"},
          {"--config", "FILE", "",
           "JSON with alpha, tolerances, models (tolerances by sha256) and waivers"},
          {"--measure", "R", "",
           "times and sizes alone: --baseline and --candidate are models, measured here in R "
           "processes each, interleaved A B B A"},
          {"--experiment", "FILE", "", "with --measure: experiment file with the settings of cost"},
          {"--set", "KEY=VALUE", "", "with --measure: a setting, such as cost.prefill_tokens=64"},
          {"--same-model", "", "", "a candidate with other weights is INCOMPARABLE"},
          {"--seed", "S", "", "of the resamples; default 0"},
          {"--inconclusive", "CODE", "", "exit code of INCONCLUSIVE: 3 (default), 0 or 1"},
          {"--out", "DIR", "",
           "writes gate.json, gate.md and junit.xml there; with --measure both sides as baseline "
           "files"},
          {"--history", "FILE", "", "SQLite file that the numbers are appended to, or listed from"},
          {"--metric", "NAME", "", "with history: of this metric alone"}};
}

GateConfig config_of(const Arguments& arguments) {
  GateConfig config;
  if (const auto file = arguments.get("--config")) {
    try {
      config = parse_gate_config(read_file(*file));
    } catch (const Error& error) {
      throw error.within(printable(*file));
    }
  }
  if (!arguments.has("--tolerance")) return config;
  config.tolerances.clear();
  config.models.clear();
  for (const std::string& word : arguments.values.at("--tolerance"))
    config.tolerances.push_back(parse_tolerance(word));
  return config;
}

/// Repetitions of one run, or one baseline file.
GateSnapshot baseline_of(const Arguments& arguments) {
  arguments.require("--baseline");
  const auto& paths = arguments.values.at("--baseline");
  if (paths.size() == 1) return read_snapshot(paths[0]);
  return joined_runs(paths);
}

GateSnapshot candidate_of(const Arguments& arguments) {
  arguments.require("--candidate");
  return joined_runs(arguments.values.at("--candidate"));
}

/// Both models, measured by the settings of an experiment; --config is the gate's own.
InterleavedSides measured_sides(const Arguments& arguments, const Console& console) {
  const int64_t rounds = whole_number(arguments, "--measure", 2);
  for (const char* flag : {"--baseline", "--candidate"})
    if (arguments.has(flag) && arguments.values.at(flag).size() > 1)
      throw Error(ErrorKind::kUsage, text(flag, " is one model where --measure is given"));
  Arguments of_experiment = arguments;
  of_experiment.values.erase("--config");
  if (arguments.has("--experiment"))
    of_experiment.values["--config"] = arguments.values.at("--experiment");
  Settings settings = settings_from(of_experiment, {});
  Experiment baseline = make_experiment(settings), candidate = baseline;
  baseline.model = arguments.require("--baseline");
  candidate.model = arguments.require("--candidate");
  find_model(baseline, console);
  find_model(candidate, console);
  return measure_interleaved(baseline, candidate, rounds, "/proc/self/exe", console);
}

InterleavedSides sides_of(const Arguments& arguments, const Console& console) {
  if (arguments.has("--measure")) return measured_sides(arguments, console);
  for (const char* flag : {"--experiment", "--set"})
    if (arguments.has(flag))
      throw Error(ErrorKind::kUsage, text(flag, " goes with --measure, which was not given"));
  return {baseline_of(arguments), candidate_of(arguments)};
}

/// The verdict stands whatever becomes of the history: it has been said and written before.
void append_history(const std::string& file, const HistoryEntry& entry, const Console& console) {
  try {
    History(file, History::Access::kAppend).append(entry);
  } catch (const Error& error) {
    console.warn(
        text("the verdict stands, but its numbers are not in the history: ", error.what()));
  }
}

void say(const GateResult& result, const Console& console) {
  for (const std::string& line : gate_lines(result)) console.say(line);
  console.verdicts(verdicts_of(result));
  for (const Finding& f : result.findings) {
    if (f.verdict.kind == VerdictKind::kPass) continue;
    const std::string name = printable(f.tolerance.name());
    if (!f.verdict.excused.empty())
      console.say(text(name, ": does not count: ", printable(f.verdict.excused)));
    if (!f.verdict.next_step.empty()) console.say(text(name, ": ", printable(f.verdict.next_step)));
  }
  for (const std::string& note : result.notes) console.say(printable(note));
}

int run_history(const Arguments& arguments, const Console& console) {
  const History history(arguments.require("--history"), History::Access::kRead);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const HistoryRow& row : history.rows(arguments.get("--metric").value_or(""))) {
    list.push_back({{"run", row.run},
                    {"at", row.at},
                    {"command", row.command},
                    {"source", row.source},
                    {"model", row.model_name},
                    {"model_sha256", row.model_sha256},
                    {"metric", row.metric},
                    {"unit", row.unit},
                    {"value", row.value ? nlohmann::ordered_json(*row.value) : nullptr},
                    {"absent_reason", row.absent_reason},
                    {"verdict", row.verdict}});
    const std::string value =
        row.value ? number_text(*row.value, 6) + " " + row.unit : "none: " + row.absent_reason;
    console.say(printable(text(row.run, "  ", row.at, "  ", row.command, "  ", row.source, "  ",
                               row.model_sha256.substr(0, 8), "  ", row.metric, "  ", value,
                               row.verdict.empty() ? "" : "  ", row.verdict)));
  }
  console.result({{"numbers", list}});
  return 0;
}

int run_gate(const Arguments& arguments, const Console& console) {
  if (const auto action = arguments.get("action")) {
    if (*action == "history") return run_history(arguments, console);
    throw Error(ErrorKind::kUsage, text("there is no 'plumb gate ", printable(*action),
                                        "', needed history or no word"));
  }
  const int inconclusive = inconclusive_code(arguments);
  const GateConfig config = config_of(arguments);
  GateOptions options;
  options.today = utc_now().substr(0, 10);
  options.same_model = arguments.has("--same-model");
  if (arguments.has("--seed"))
    options.seed = static_cast<uint64_t>(whole_number(arguments, "--seed", 0));
  const auto out = arguments.get("--out");
  if (out) try_writable_folder(*out);
  options.interleaved = arguments.has("--measure");
  const auto [baseline, candidate] = sides_of(arguments, console);
  const GateResult result = judge_gate(baseline, candidate, config, options);
  const int code = gate_exit_code(result, inconclusive);

  const auto json = gate_json(result, baseline, candidate, code);
  console.result(json);
  say(result, console);
  if (out) {
    reports::Report report;
    report.title = "plumb gate";
    report.verdicts = verdicts_of(result);
    std::vector<NamedFile> files{{"gate.md", gate_markdown(result, baseline, candidate, code)},
                                 {"junit.xml", reports::to_junit_xml(report)},
                                 {"gate.json", json.dump(2) + "\n"}};
    if (options.interleaved) {  // what was measured is nowhere else
      files.emplace_back("baseline.json", baseline_text(baseline));
      files.emplace_back("candidate.json", baseline_text(candidate));
    }
    remove_leftovers(*out);
    publish(files, *out);
    console.say(wrote(files, *out));
  }
  if (const auto history = arguments.get("--history"))
    append_history(*history, gate_entry(result, candidate, code, utc_now()), console);
  return code;
}

}  // namespace

Command gate_command() {
  return {"gate", "whether a run is no worse than a baseline: exit 0, 1, 3 or 7",
          "plumb gate --baseline baseline.json --candidate runs/candidate --tolerance loss:rel:+1%",
          flags(), run_gate};
}

}  // namespace plumb::harness
