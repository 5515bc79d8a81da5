#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plumb {

/// The machine in the words of MLPerf's system description, filled from Linux' files.
struct SystemDescription {
  using Facts = std::vector<std::pair<std::string, std::string>>;
  /// MLPerf's 35 required fields, by name in their order. "unknown" where it cannot be read, "N/A" where there is no such
  /// part; never empty.
  Facts required;
  /// What timings depend on besides: flags, clocks, governor, turbo, huge pages, NUMA, limits, kernel, microcode.
  Facts further;

  /// "unknown" for a name that is in neither.
  std::string of(std::string_view name) const;
  /// Replaces one of the required fields, such as "framework", which `base` does not know. Error{kInternal} where there is
  /// none of that name.
  void set(std::string_view name, std::string value);
};

/// Reads below `root`, which tests replace by a folder of their own; `usable_cores` are those that this process may run
/// on, 0: ask the system. Nothing in it changes while a machine is left as it is: no load, no temperature.
SystemDescription describe_system(const std::filesystem::path& root = "/", int usable_cores = 0);

/// The facts that decide how long the same program takes: two machines that agree in them may be compared by their times.
/// No host name, and nothing that somebody could have written down differently.
SystemDescription::Facts timing_facts(const SystemDescription& description);

/// 16 hexadecimal digits of the SHA-256 of timing_facts(): equal where all of them are.
std::string timing_fingerprint(const SystemDescription& description);

}  // namespace plumb
