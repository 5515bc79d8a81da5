#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace plumb {

/// What Linux counts while a machine works, at one moment. None where it does not tell.
struct MachineReadings {
  std::optional<double> busy_seconds;  ///< of all processors since boot, this process' own included
  std::optional<double> steal_seconds;  ///< that the hypervisor gave to others
  std::optional<double> own_seconds;  ///< of processor time by this process and its ended children
  std::optional<double> load;         ///< runnable tasks, mean of the last minute
  std::optional<double> throttled;    ///< times that a core or package was slowed down by heat
  std::optional<double> swapped_pages;  ///< in and out
  std::optional<double> megahertz;  ///< mean of the processors', where their frequency is governed
  std::optional<double> energy_joules;  ///< of all packages, as they estimate it (RAPL)
  std::string no_energy;                ///< why `energy_joules` is none
  std::vector<std::pair<std::string, double>>
      energy_wraps;  ///< package and joules at which it starts again
  std::vector<std::pair<std::string, double>> energies;  ///< package and joules
};

/// Reads below `root`, which tests replace by a folder of their own.
MachineReadings read_machine(const std::filesystem::path& root = "/");

/// Joules between two readings, each package's counter having started again at most once; none with the reason.
struct EnergyUsed {
  std::optional<double> joules;
  std::string reason;
};
EnergyUsed energy_between(const MachineReadings& before, const MachineReadings& after);

/// Why timings taken between two readings on a machine of `cores` usable cores cannot be relied on, each in words with the
/// numbers; empty: nothing of what is known speaks against them.
struct TimingDoubts {
  std::vector<std::string> reasons;
  std::vector<std::string> unknown;  ///< what could not be looked at, such as "thermal throttling"
};
/// More than this share of the processors' time that others or the hypervisor took is too much.
inline constexpr double kMostForeignShare = 0.05;
inline constexpr double kMostStealShare = 0.01;
inline constexpr double kMostFrequencyChange = 0.03;
TimingDoubts timing_doubts(const MachineReadings& before, const MachineReadings& after,
                           double seconds, int cores);

/// The same of what does not change while it runs: the governor, turbo, a core limit below the cores, no real machine, a debug build.
TimingDoubts standing_doubts(const std::filesystem::path& root = "/", int usable_cores = 0);

/// A share as doubts name it: "1.4 %".
std::string percent_text(double share);

}  // namespace plumb
