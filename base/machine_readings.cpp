#include "base/machine_readings.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "base/system_description.h"
#include "base/system_files.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using system_files::field;
using system_files::first_line;
using system_files::names_in;
using system_files::number_in;

double ticks_per_second() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

/// The fields of "cpu  user nice system idle iowait irq softirq steal ..." of /proc/stat.
void read_processors(const fs::path& root, MachineReadings& out) {
  std::istringstream line(first_line(root / "proc/stat"));
  std::string name;
  double field[8] = {};
  if (!(line >> name) || name != "cpu") return;
  for (double& value : field)
    if (!(line >> value)) return;
  const auto& [user, nice, system, idle, waiting, interrupt, soft, steal] = field;
  out.busy_seconds = (user + nice + system + interrupt + soft) / ticks_per_second();
  out.steal_seconds = steal / ticks_per_second();
}

/// utime, stime, cutime and cstime: fields 14 to 17 of /proc/self/stat, the second of which ends with the last ')'.
void read_own(const fs::path& root, MachineReadings& out) {
  const std::string line = first_line(root / "proc/self/stat");
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream rest(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) rest >> skipped;
  double sum = 0, ticks = 0;
  for (int i = 14; i <= 17; ++i) {
    if (!(rest >> ticks)) return;
    sum += ticks;
  }
  out.own_seconds = sum / ticks_per_second();
}

template <typename Take>
void of_processors(const fs::path& root, const Take& take) {
  const fs::path folder = root / "sys/devices/system/cpu";
  for (const std::string& name : names_in(folder, "cpu")) take(folder / name);
}

void read_clocks(const fs::path& root, MachineReadings& out) {
  double sum = 0, count = 0;
  of_processors(root, [&](const fs::path& cpu) {
    for (const char* file : {"core_throttle_count", "package_throttle_count"})
      if (const auto times = number_in(cpu / "thermal_throttle" / file))
        out.throttled = out.throttled.value_or(0) + *times;
    if (const auto khz = number_in(cpu / "cpufreq/scaling_cur_freq")) sum += *khz / 1e3, ++count;
  });
  if (count > 0) out.megahertz = sum / count;
}

void read_swap(const fs::path& root, MachineReadings& out) {
  const auto in = system_files::number(field(root / "proc/vmstat", "pswpin", ' '));
  const auto back = system_files::number(field(root / "proc/vmstat", "pswpout", ' '));
  if (in && back) out.swapped_pages = *in + *back;
}

/// Packages of the powercap tree, "intel-rapl:0"; what lies below them ("intel-rapl:0:0") is part of them.
void read_energy(const fs::path& root, MachineReadings& out) {
  const fs::path folder = root / "sys/class/powercap";
  const auto zones = names_in(folder, "intel-rapl:");
  for (const std::string& zone : zones) {
    if (std::count(zone.begin(), zone.end(), ':') != 1) continue;
    const auto used = number_in(folder / zone / "energy_uj");
    if (!used) continue;
    out.energies.emplace_back(zone, *used / 1e6);
    out.energy_wraps.emplace_back(
        zone, number_in(folder / zone / "max_energy_range_uj").value_or(0) / 1e6);
  }
  if (!out.energies.empty()) {
    double sum = 0;
    for (const auto& [zone, joules] : out.energies) sum += joules;
    out.energy_joules = sum;
  } else if (zones.empty()) {
    out.no_energy = "this system counts no energy (no /sys/class/powercap/intel-rapl:*)";
  } else {
    out.no_energy = "the energy counters may not be read by this user (/sys/class/powercap)";
  }
}

}  // namespace

std::string percent_text(double share) {
  std::ostringstream out;
  out.precision(100 * share < 10 ? 2 : 3);
  out << 100 * share << " %";
  return out.str();
}

MachineReadings read_machine(const fs::path& root) {
  MachineReadings out;
  read_processors(root, out);
  read_own(root, out);
  read_clocks(root, out);
  read_swap(root, out);
  read_energy(root, out);
  out.load = number_in(root / "proc/loadavg");
  return out;
}

EnergyUsed energy_between(const MachineReadings& before, const MachineReadings& after) {
  if (!before.energy_joules) return {std::nullopt, before.no_energy};
  if (!after.energy_joules) return {std::nullopt, after.no_energy};
  double sum = 0;
  for (const auto& [zone, end] : after.energies) {
    const auto is = [&zone = zone](const auto& one) { return one.first == zone; };
    const auto start = std::find_if(before.energies.begin(), before.energies.end(), is);
    if (start == before.energies.end())
      return {std::nullopt, text("the energy counter '", zone, "' was not there before")};
    double used = end - start->second;
    if (used < 0) {
      const auto wrap = std::find_if(after.energy_wraps.begin(), after.energy_wraps.end(), is);
      used += wrap->second;
      if (used < 0)
        return {std::nullopt,
                text("the energy counter '", zone, "' went back by ", start->second - end, " J")};
    }
    sum += used;
  }
  return {sum, ""};
}

TimingDoubts timing_doubts(const MachineReadings& before, const MachineReadings& after,
                           double seconds, int cores) {
  TimingDoubts out;
  const auto both = [&](const std::optional<double>& a, const std::optional<double>& b,
                        const char* what) {
    if (a && b) return true;
    out.unknown.emplace_back(what);
    return false;
  };
  const double all = seconds * cores;
  if (both(before.steal_seconds, after.steal_seconds, "time stolen by the hypervisor"))
    if (const double share = (*after.steal_seconds - *before.steal_seconds) / all;
        share > kMostStealShare)
      out.reasons.push_back(text("other load: the hypervisor gave ", percent_text(share),
                                 " of the processors' time to others, at most ",
                                 percent_text(kMostStealShare), " is tolerable"));
  if (both(before.busy_seconds, after.busy_seconds, "load by other processes") &&
      both(before.own_seconds, after.own_seconds, "this process' own time")) {
    const double foreign =
        (*after.busy_seconds - *before.busy_seconds) - (*after.own_seconds - *before.own_seconds);
    if (foreign / all > kMostForeignShare)
      out.reasons.push_back(text("other load: other processes took ", percent_text(foreign / all),
                                 " of the processors' time, at most ",
                                 percent_text(kMostForeignShare), " is tolerable"));
  }
  if (both(before.throttled, after.throttled, "thermal throttling") &&
      *after.throttled > *before.throttled)
    out.reasons.push_back(text("throttling: cores were slowed down by heat ",
                               *after.throttled - *before.throttled, " times"));
  if (both(before.swapped_pages, after.swapped_pages, "swapping") &&
      *after.swapped_pages > *before.swapped_pages)
    out.reasons.push_back(
        text("memory: ", *after.swapped_pages - *before.swapped_pages, " pages were swapped"));
  if (both(before.megahertz, after.megahertz, "processor frequency") &&
      std::abs(*after.megahertz - *before.megahertz) > kMostFrequencyChange * *before.megahertz)
    out.reasons.push_back(text("frequency scaling: processors went from ", *before.megahertz,
                               " to ", *after.megahertz, " MHz"));
  return out;
}

TimingDoubts standing_doubts(const fs::path& root, int usable_cores) {
  const SystemDescription system = describe_system(root, usable_cores);
  TimingDoubts out;
  const std::string governor = system.of("frequency governor"), turbo = system.of("turbo");
  if (governor == "unknown")
    out.unknown.emplace_back("frequency governor");
  else if (governor != "performance")
    out.reasons.push_back(
        text("frequency scaling: the governor is '", governor, "', needed is 'performance'"));
  if (turbo == "unknown") out.unknown.emplace_back("turbo");
  const std::string limit = system.of("CPU limit");
  if (const auto quota = system_files::number(limit);
      quota && *quota < *system_files::number(system.of("usable cores")))
    out.reasons.push_back(text("the container may use ", limit, "' time of ",
                               system.of("usable cores"), ": it is stopped when that is used up"));
#ifdef __SANITIZE_ADDRESS__
  out.reasons.emplace_back("this build runs under a sanitizer");
#endif
#ifndef NDEBUG
  out.reasons.emplace_back("this is a debug build");
#endif
  return out;
}

}  // namespace plumb
