#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "harness/cli/common.h"
#include "harness/cli/verdict_output.h"
#include "harness/gate/gate_files.h"
#include "harness/gate/history.h"
#include "harness/pipeline/run.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return {{"action", "history", "", "list a history instead of judging"},
          {"--baseline", "PATH", "", "what was good: a baseline file, or the folder of a run"},
          {"--candidate", "DIR", "", "the folder of the run to be judged"},
          {"--tolerance", "T", "",
           "METRIC[PLAN]:abs|rel:LIMIT[:warn|fail], such as loss:rel:+1%; may be given again, and "
           "replaces the defaults loss:rel:+1%, *.acc:abs:-0.02, prefill.tok_s:rel:-5%, "
           "decode.tok_s:rel:-5%, peak_rss:rel:+2%"},
          {"--config", "FILE", "",
           "JSON with alpha, tolerances, models (tolerances by sha256) and waivers"},
          {"--same-model", "", "", "a candidate with other weights is INCOMPARABLE"},
          {"--seed", "S", "", "of the resamples; default 0"},
          {"--inconclusive", "CODE", "", "exit code of INCONCLUSIVE: 3 (default), 0 or 1"},
          {"--out", "DIR", "", "writes gate.json, gate.md and junit.xml there"},
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
  const GateSnapshot baseline = read_snapshot(arguments.require("--baseline"));
  const GateSnapshot candidate = read_run_snapshot(arguments.require("--candidate"));
  const GateResult result = judge_gate(baseline, candidate, config, options);
  const int code = gate_exit_code(result, inconclusive);

  const auto json = gate_json(result, baseline, candidate, code);
  console.result(json);
  say(result, console);
  if (out) {
    reports::Report report;
    report.title = "plumb gate";
    report.verdicts = verdicts_of(result);
    const std::vector<NamedFile> files{
        {"gate.md", gate_markdown(result, baseline, candidate, code)},
        {"junit.xml", reports::to_junit_xml(report)},
        {"gate.json", json.dump(2) + "\n"}};
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
