#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/cli/verdict_output.h"
#include "harness/experiment/embedded.h"
#include "harness/gate/history.h"
#include "harness/pipeline/dry_run.h"
#include "harness/pipeline/run.h"

namespace plumb::harness {

namespace {

constexpr const char* kDefault = "fixtures/experiments/default.json";

std::vector<Flag> run_flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--strategies", "LIST", "sweep.strategies",
              "similarity, simple, deepest, random, block-influence"},
             {"--n", "RANGE", "sweep.n", "blocks removed in the sweep, such as 0-28"},
             {"--positions", "P", "sweep.positions", "loss at P random positions; 0: all"},
             {"--calibration", "FILE", "calibration.documents",
              "text that the plans are chosen on"},
             {"--documents", "FILE", "validation.documents", "text that the loss is measured on"},
             {"--print-config", "", "", "show every setting and where it came from, then stop"},
             {"--dry-run", "", "", "show bytes, memory and rough times, then stop"},
             {"--history", "FILE", "", "SQLite file that the run's numbers are appended to"},
             {"--check", "", "", "exit with the verdicts' code"},
             {"--inconclusive", "CODE", "", "with --check, the code of INCONCLUSIVE: 3, 0 or 1"}};
}

int print_config(Settings settings, const Console& console) {
  const Experiment experiment = make_experiment(settings);
  auto json = settings.to_json();
  json["dtype"]["effective"] = experiment.dtype;
  json["device"]["effective"] = experiment.device;
  json["threads"]["effective"] = experiment.threads;
  console.result(json);
  for (const Setting& setting : known_settings()) {
    const auto& value = settings.value(setting.key);
    std::string shown = value.is_null() ? "(none)" : value.dump();
    if (setting.key == "dtype") shown += " -> " + experiment.dtype;
    if (setting.key == "device") shown += " -> " + experiment.device;
    if (setting.key == "threads") shown += text(" -> ", experiment.threads);
    console.say(text(setting.key, " = ", printable(shown), "   [",
                     printable(settings.origin(setting.key)), "]"));
  }
  return 0;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out = "plumb";
  for (const std::string& word : words) out += " " + word;
  return out;
}

/// The run stands whatever becomes of the history.
void append_history(const std::string& file, const std::string& folder, const Console& console) {
  try {
    History(file, History::Access::kAppend).append(run_entry(read_run_snapshot(folder), utc_now()));
  } catch (const Error& error) {
    console.warn(text("the run stands, but its numbers are not in the history: ", error.what()));
  }
}

int run_run(const Arguments& arguments, const Console& console) {
  const int inconclusive = inconclusive_code(arguments);
  Settings settings =
      settings_from(arguments, run_flags(), std::string(default_experiment_json()), kDefault);
  if (arguments.has("--print-config")) return print_config(settings, console);
  if (arguments.has("--dry-run")) return dry_run(settings, console);
  if (settings.text_of("out").empty())
    throw Error(ErrorKind::kUsage, "no output folder was named, needed --out DIR");
  const Run run = execute(settings, "/proc/self/exe", joined(arguments.command_line), console);
  const auto verdicts = judge(run);
  publish_run(run, verdicts, run.experiment.out);

  const std::string report = run.experiment.out + "/report.html";
  auto json = verdicts_json(verdicts);
  json["report"] = report;
  console.result(json);
  console.verdicts(verdicts);
  if (const auto history = arguments.get("--history"))
    append_history(*history, run.experiment.out, console);
  console.say(printable(report));
  if (run.failure_code != 0) return run.failure_code;
  if (!arguments.has("--check")) return 0;
  const int code = exit_code(verdicts);
  return code == 3 ? inconclusive : code;
}

}  // namespace

Command run_command() {
  return {"run", "every stage of an experiment, from a model to a report",
          "plumb run --config experiment.json --out runs/mine", run_flags(), run_run};
}

}  // namespace plumb::harness
