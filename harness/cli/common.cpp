#include "harness/cli/common.h"

#include <charconv>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace plumb::harness {

std::vector<Flag> operator+(std::vector<Flag> a, const std::vector<Flag>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<Flag> model_flags() {
  return {{"--model", "MODEL", "model",
           "a GGUF file, a folder with config.json and safetensors, or org/name[@revision]"},
          {"--out", "DIR", "out", "folder of the results; made where it is missing"},
          {"--dtype", "TYPE", "dtype", "fp32 (default), bf16, or auto: bf16 where the CPU has it"},
          {"--device", "NAME", "device", "cpu (default), cuda, auto, or a plug-in's .so"},
          {"--threads", "K", "threads", "threads; default: all that this process may use"},
          {"--memory-limit", "BYTES", "memory_limit",
           "resident memory, such as 8GiB; default: what is available"},
          {"--seed", "S", "seed", "of random plans, positions and resamples; default 0"},
          {"--config", "FILE", "", "experiment file (JSON); flags win over it"},
          {"--set", "KEY=VALUE", "", "any setting by its key; see plumb run --print-config"}};
}

Settings settings_from(const Arguments& arguments, const std::vector<Flag>& flags,
                       const std::string& fallback_json, const std::string& fallback_name) {
  Settings settings;
  if (const auto config = arguments.get("--config")) {
    settings.read_file(read_file(*config), *config);
  } else if (!fallback_json.empty()) {
    settings.read_file(fallback_json, fallback_name);
  }
  settings.read_environment();
  for (const Flag& flag : flags) {
    const auto value = arguments.get(flag.name);
    if (!value || flag.setting.empty()) continue;
    std::istringstream keys(flag.setting);
    for (std::string key; keys >> key;) settings.set(key, *value, "flag " + flag.name);
  }
  const auto given = arguments.values.find("--set");
  if (given == arguments.values.end()) return settings;
  for (const std::string& pair : given->second) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos)
      throw Error(ErrorKind::kUsage,
                  text("--set is '", printable(pair), "', needed KEY=VALUE such as seed=1"));
    settings.set(pair.substr(0, equals), pair.substr(equals + 1), "flag --set");
  }
  return settings;
}

std::string require_out(const Experiment& experiment) {
  if (experiment.out.empty())
    throw Error(ErrorKind::kUsage, "no output folder was named, needed --out DIR");
  try_writable_folder(experiment.out);
  remove_leftovers(experiment.out);
  return experiment.out;
}

std::unique_ptr<RunLock> take_out(const Experiment& experiment, const Processes& processes) {
  if (!processes.is_first()) return nullptr;
  return std::make_unique<RunLock>(require_out(experiment));
}

void share_machine(const Settings& settings, const Processes& processes, Experiment& experiment) {
  if (!processes.are_several()) return;
  experiment.processes_here = processes.facts().here;
  if (settings.count_of("threads") == 0) experiment.threads = processes.threads();
}

int64_t whole_number(const Arguments& arguments, const std::string& flag, int64_t least) {
  const std::string word = arguments.require(flag);
  int64_t value = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status != std::errc() || end != word.data() + word.size() || value < least)
    throw Error(ErrorKind::kUsage, text(flag, " is '", printable(word),
                                        "', needed a whole number of at least ", least));
  return value;
}

std::string wrote(const std::vector<NamedFile>& files, const std::string& folder,
                  const std::vector<LargeFile>& large) {
  std::string names;
  for (const LargeFile& file : large) names += (names.empty() ? "" : ", ") + file.name;
  for (const auto& [name, bytes] : files) names += (names.empty() ? "" : ", ") + name;
  return text("wrote ", names, " to ", printable(folder));
}

}  // namespace plumb::harness
