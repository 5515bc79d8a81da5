#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace plumb {

/// What Linux tells of the machine in its files below `root`, which tests replace by a folder of
/// their own.
struct MachineProbe {
  std::vector<std::pair<std::string, std::string>> facts;  ///< as Environment::machine
  std::vector<std::string> warnings;
};

/// `usable_cores`: those that this process may run on. A file that is missing leaves its fact out,
/// or "unknown" for the CPU and the system, which every report shows.
MachineProbe probe_machine(const std::filesystem::path& root, int usable_cores);

/// "debug" or "release": how Google Benchmark, which times the costs, was built.
std::string benchmark_library_build();

}  // namespace plumb
