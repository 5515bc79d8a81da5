#include "base/error.h"
#include "base/file.h"
#include "harness/cli/common.h"
#include "harness/pipeline/run.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return {{"--run", "DIR", "", "folder of a finished `plumb run`: its files are written anew"},
          {"--validate", "FILE", "", "check a results.json against the schema"}};
}

int run_report(const Arguments& arguments, const Console& console) {
  if (arguments.has("--run") == arguments.has("--validate"))
    throw Error(ErrorKind::kUsage, "needed one of --run DIR and --validate FILE");
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
