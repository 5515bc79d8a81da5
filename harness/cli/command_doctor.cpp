#include <filesystem>

#include "base/environment.h"
#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/cli/program.h"
#include "harness/experiment/embedded.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/session.h"
#include "harness/pipeline/synthetic_run.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> flags() {
  return {{"--self-test", "", "", "run the whole chain on a synthetic decoder"}};
}

/// What the default experiment needs: there, or what to do.
Pairs default_inputs() {
  Settings settings;
  const std::string name = "fixtures/experiments/default.json";
  settings.read_file(default_experiment_json(), name);
  Pairs out;
  for (const char* key : {"model", "calibration.documents", "validation.documents"}) {
    const std::string file = settings.text_of(key);
    out.emplace_back(text("default ", key), std::filesystem::exists(file)
                                                ? file
                                                : text(file, " is not here: ./run makes it"));
  }
  return out;
}

/// The exit code: 8 where an invariant does not hold.
int say_checks(const Console& console, Json& json) {
  use_threads(available_threads());
  int code = 0;
  json["self_test"] = Json::array();
  for (const EqualityCheck& check : self_test()) {
    const bool holds = check.differing == 0;
    if (!holds) code = static_cast<int>(ErrorKind::kInvariant);
    json["self_test"].push_back({{"check", check.name},
                                 {"detail", check.detail},
                                 {"compared", check.compared},
                                 {"differing", check.differing}});
    console.say(text(holds ? "ok    " : "WRONG ", check.name, ": ", check.detail, ", ",
                     check.compared, " compared, ", check.differing, " differ"));
  }
  return code;
}

int run_doctor(const Arguments& arguments, const Console& console) {
  const Environment facts = environment();
  Json json = {{"build", pairs_json(facts.build)},     {"libraries", pairs_json(library_facts())},
               {"machine", pairs_json(facts.machine)}, {"inputs", pairs_json(default_inputs())},
               {"warnings", facts.warnings},           {"threads", available_threads()}};
  for (const std::string& line : version_lines()) console.say(line);
  for (const Pairs& group : {Pairs(facts.machine), default_inputs()})
    for (const auto& [key, value] : group) console.say(text("  ", key, ": ", printable(value)));
  console.say(text("  threads that this process may use: ", available_threads()));
  for (const std::string& warning : facts.warnings) console.warn(warning);
  const int code = arguments.has("--self-test") ? say_checks(console, json) : 0;
  console.result(json);
  return code;
}

}  // namespace

Command doctor_command() {
  return {"doctor", "this machine, this build, and whether Plumb's invariants hold here",
          "plumb doctor --self-test", flags(), run_doctor};
}

}  // namespace plumb::harness
