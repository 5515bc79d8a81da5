#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/experiment/experiment.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/run_lock.h"
#include "harness/processes/processes.h"

namespace plumb::harness {

/// Flags that several commands have: --config, --set, --model, --dtype, --device, --threads, --seed, --out.
std::vector<Flag> model_flags();
std::vector<Flag> operator+(std::vector<Flag> a, const std::vector<Flag>& b);

/// The settings of a command: its experiment file (or `fallback_json`, called `fallback_name`, where none is named and
/// that is not empty), then the environment, then the flags that name a setting.
Settings settings_from(const Arguments& arguments, const std::vector<Flag>& flags,
                       const std::string& fallback_json = "",
                       const std::string& fallback_name = "");

/// The folder of --out, tried before any work. Error{kUsage} when none was named.
std::string require_out(const Experiment& experiment);
/// The same where several processes run the command: rank 0 alone has to do with the folder, and takes its lock.
std::unique_ptr<RunLock> take_out(const Experiment& experiment, const Processes& processes);

/// Gives every rank the same threads and its share of its machine's memory, where the settings do not say otherwise: `threads` of 0
/// are the rank's share of the cores.
void share_machine(const Settings& settings, const Processes& processes, Experiment& experiment);

/// A whole number of at least `least`. Error{kUsage} naming the flag.
int64_t whole_number(const Arguments& arguments, const std::string& flag, int64_t least);

/// "wrote distances.csv, plans.csv to DIR".
std::string wrote(const std::vector<NamedFile>& files, const std::string& folder,
                  const std::vector<LargeFile>& large = {});

}  // namespace plumb::harness
