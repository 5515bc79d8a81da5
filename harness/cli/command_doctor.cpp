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
  return {{"--self-test", "", "", "run the whole chain on a synthetic decoder"},
          {"--device", "NAME", "", "and on this device: cpu, cuda, auto (default), or a plug-in"}};
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

/// What a decoder would run on.
Pairs device_pairs(const models::ComputeDevice& device) {
  if (device.is_cpu())
    return {{"device", device.reason.empty() ? device.name
                                             : "cpu, as cuda cannot be used: " + device.reason}};
  const models::DeviceFacts facts = device.facts();
  return {{"device", device.name},
          {"device product", facts.name},
          {"device driver", facts.driver},
          {"device memory",
           text(bytes_text(facts.total_bytes), ", ", bytes_text(facts.free_bytes), " of it free")}};
}

/// The exit code: 8 where an invariant does not hold.
int say_checks(const models::ComputeDevice& device, const Console& console, Json& json) {
  use_threads(available_threads());
  int code = 0;
  json["self_test"] = Json::array();
  std::vector<EqualityCheck> checks = self_test();
  if (!device.is_cpu())
    for (EqualityCheck& check : device_self_test(device)) checks.push_back(std::move(check));
  for (const EqualityCheck& check : checks) {
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
  const models::ComputeDevice device =
      models::open_device(arguments.get("--device").value_or("auto"));
  const Environment facts = environment();
  Json json = {{"build", pairs_json(facts.build)},
               {"libraries", pairs_json(library_facts())},
               {"machine", pairs_json(facts.machine)},
               {"inputs", pairs_json(default_inputs())},
               {"device", pairs_json(device_pairs(device))},
               {"warnings", facts.warnings},
               {"threads", available_threads()}};
  for (const std::string& line : version_lines()) console.say(line);
  for (const Pairs& group : {Pairs(facts.machine), device_pairs(device), default_inputs()})
    for (const auto& [key, value] : group) console.say(text("  ", key, ": ", printable(value)));
  console.say(text("  threads that this process may use: ", available_threads()));
  for (const std::string& warning : facts.warnings) console.warn(warning);
  const int code = arguments.has("--self-test") ? say_checks(device, console, json) : 0;
  console.result(json);
  return code;
}

}  // namespace

Command doctor_command() {
  return {"doctor", "this machine, this build, and whether Plumb's invariants hold here",
          "plumb doctor --self-test", flags(), run_doctor};
}

}  // namespace plumb::harness
