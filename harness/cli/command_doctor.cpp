#include <chrono>
#include <filesystem>
#include <thread>

#include "base/environment.h"
#include "base/error.h"
#include "base/machine_readings.h"
#include "base/nvml.h"
#include "base/system_description.h"
#include "harness/cli/common.h"
#include "harness/cli/program.h"
#include "harness/experiment/embedded.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/memory_plan.h"
#include "harness/pipeline/session.h"
#include "harness/pipeline/synthetic_run.h"
#include "models/device_memory.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> doctor_flags() {
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

/// What `plumb measure` could count there, each with the reason where it cannot.
Pairs told_pairs(const models::ComputeDevice& device) {
  const std::string bus = device.facts().pci_bus_id;
  const models::DeviceMemoryReading memory = models::device_memory(device.device);
  const NvmlReadings nvml = read_nvml(bus);
  const auto or_why = [](const auto& told, const auto& words) {
    return told.value ? text(words(*told.value)) : "unknown: " + told.reason;
  };
  const auto slowed_by = [](uint64_t bits) {
    std::string out;
    for (const NvmlSlowdown& one : kNvmlSlowdowns)
      if ((bits & one.bit) != 0) out += text(out.empty() ? "" : ", ", one.what);
    return out.empty() ? std::string("nothing") : out;
  };
  return {{"device PCI bus id", bus.empty() ? "none" : bus},
          {"device allocator",
           memory.memory ? text(bytes_text(memory.memory->allocated), " allocated, ",
                                bytes_text(memory.memory->reserved), " reserved by this process")
                         : "unknown: " + memory.reason},
          {"device memory of this process",
           or_why(nvml.process_bytes, [](uint64_t bytes) { return bytes_text(bytes); })},
          {"device energy", or_why(nvml.joules, [](double) { return "counted by the device"; })},
          {"device slowed down now by", or_why(nvml.slowdowns, slowed_by)},
          {"device slowed down by power or heat",
           or_why(nvml.throttled_seconds,
                  [](double s) { return number_text(s, 3) + " s since its driver was loaded"; })},
          {"device SM clock",
           or_why(nvml.sm_megahertz, [](double mhz) { return number_text(mhz, 4) + " MHz"; })}};
}

/// What a decoder would run on.
Pairs device_pairs(const models::ComputeDevice& device) {
  if (device.is_cpu())
    return {{"device", device.reason.empty() ? device.name
                                             : "cpu, as cuda cannot be used: " + device.reason}};
  const models::DeviceFacts facts = device.facts();
  Pairs out = {{"device", device.name},
               {"device product", facts.name},
               {"device driver", facts.driver},
               {"device memory", text(bytes_text(facts.total_bytes), ", ",
                                      bytes_text(facts.free_bytes), " of it free")}};
  for (auto& pair : told_pairs(device)) out.push_back(std::move(pair));
  return out;
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

/// What a timing depends on, and what a short look at the machine shows.
struct TimingHealth {
  Pairs facts;
  TimingDoubts doubts;
};

std::string shown(const std::optional<double>& value, const char* unit) {
  return value ? text(number_text(*value, 3), unit) : std::string("unknown");
}

TimingHealth timing_health() {
  constexpr auto kLook = std::chrono::milliseconds(500);
  const MachineReadings before = read_machine();
  std::this_thread::sleep_for(kLook);
  const MachineReadings after = read_machine();
  const SystemDescription system = describe_system();
  TimingHealth out;
  out.facts = {{"timing fingerprint", timing_fingerprint(system)}};
  for (const char* name : {"frequency governor", "frequency driver", "turbo", "SMT", "NUMA nodes",
                           "transparent huge pages", "huge pages", "CPU limit", "microcode"})
    out.facts.emplace_back(name, system.of(name));
  out.facts.emplace_back("load", shown(after.load, " tasks, mean of a minute"));
  out.facts.emplace_back("time stolen since boot", shown(after.steal_seconds, " s"));
  out.facts.emplace_back("thermal throttling since boot", shown(after.throttled, " times"));
  out.facts.emplace_back("memory available", bytes_text(available_memory_bytes()));
  out.facts.emplace_back("energy", after.energy_joules ? "counted for each package (RAPL)"
                                                       : "not counted: " + after.no_energy);
  out.doubts = standing_doubts();
  const TimingDoubts now =
      timing_doubts(before, after, std::chrono::duration<double>(kLook).count(),
                    static_cast<int>(available_threads()));
  for (const auto& reason : now.reasons) out.doubts.reasons.push_back(reason);
  for (const auto& one : now.unknown) out.doubts.unknown.push_back(one);
  return out;
}

void say_timing(const Console& console, Json& json) {
  const TimingHealth health = timing_health();
  const bool valid = health.doubts.reasons.empty();
  json["timing"] = {{"valid", valid},
                    {"reasons", health.doubts.reasons},
                    {"unknown", health.doubts.unknown},
                    {"facts", pairs_json(health.facts)}};
  for (const auto& [key, value] : health.facts)
    console.say(text("  ", key, ": ", printable(value)));
  console.say(valid ? "  timings: nothing that can be seen speaks against them"
                    : "  timings: INVALID here and now");
  for (const std::string& reason : health.doubts.reasons) console.say(text("    ", reason));
  std::string unknown;
  for (const std::string& one : health.doubts.unknown)
    unknown += (unknown.empty() ? "" : ", ") + one;
  if (!unknown.empty()) console.say(text("    unknown here: ", unknown));
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
  say_timing(console, json);
  for (const std::string& warning : facts.warnings) console.warn(warning);
  const int code = arguments.has("--self-test") ? say_checks(device, console, json) : 0;
  console.result(json);
  return code;
}

}  // namespace

Command doctor_command() {
  return {"doctor",
          "this machine, this build, whether times taken here can hold, and Plumb's invariants do",
          "plumb doctor --self-test", doctor_flags(), run_doctor};
}

}  // namespace plumb::harness
