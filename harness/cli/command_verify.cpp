#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/cli/verdict_output.h"
#include "harness/pipeline/run.h"

namespace plumb::harness {

namespace {

std::vector<Flag> verify_flags() {
  return {{"--run", "DIR", "", "folder of a finished `plumb run`"},
          {"--inconclusive", "CODE", "", "exit code of INCONCLUSIVE: 3 (default), 0 or 1"}};
}

int run_verify(const Arguments& arguments, const Console& console) {
  const int inconclusive = inconclusive_code(arguments);
  const Run run = load_run(arguments.require("--run"));
  const auto verdicts = judge(run);
  console.result(verdicts_json(verdicts));
  console.verdicts(verdicts);
  const int code = exit_code(verdicts);
  return code == 3 ? inconclusive : code;
}

}  // namespace

Command verify_command() {
  return {"verify", "judge the claims again from the measurements of a run",
          "plumb verify --run runs/default", verify_flags(), run_verify};
}

}  // namespace plumb::harness
