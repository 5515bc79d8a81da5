#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "harness/cli/common.h"
#include "harness/gate/history.h"
#include "harness/pipeline/run.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return {{"--run", "DIR", "", "folder of a finished `plumb run`: its files are written anew"},
          {"--validate", "FILE", "", "check a results.json against the schema"},
          {"--history", "FILE", "", "the trend of every number of a history, as a page in --out"},
          {"--out", "DIR", "", "with --history: writes history.html there"}};
}

int report_history(const Arguments& arguments, const Console& console) {
  const std::filesystem::path file = arguments.require("--history"),
                              out = arguments.require("--out");
  const History history(file, History::Access::kRead);
  const reports::Report report = history_report(history.rows(), file.filename().string());
  publish({{"history.html", reports::to_html(report)}}, out);
  const std::string page = out / "history.html";
  console.result({{"report", page}});
  console.say(printable(page));
  return 0;
}

int run_report(const Arguments& arguments, const Console& console) {
  if (arguments.has("--run") + arguments.has("--validate") + arguments.has("--history") != 1)
    throw Error(ErrorKind::kUsage, "needed one of --run DIR, --validate FILE and --history FILE");
  if (arguments.has("--history")) return report_history(arguments, console);
  if (const auto file = arguments.get("--validate")) {
    try {
      reports::validate_results(read_file(*file));
    } catch (const Error& error) {
      throw error.within(printable(*file));
    }
    console.result({{"valid", true}, {"file", *file}});
    console.say(text(printable(*file), " is valid"));
    return 0;
  }
  const std::string folder = arguments.require("--run");
  const Run run = load_run(folder);
  publish_run(run, judge(run), folder);
  const std::string report = folder + "/report.html";
  console.result({{"report", report}});
  console.say(printable(report));
  return 0;
}

}  // namespace

Command report_command() {
  return {"report", "write a run's report anew, or validate a results.json",
          "plumb report --validate runs/default/results.json", flags(), run_report};
}

}  // namespace plumb::harness
