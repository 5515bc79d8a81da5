// What the system and the memory cgroups leave to this process, and sizes in words.

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/pipeline/memory_plan.h"

namespace plumb::harness {

namespace {

namespace fs = std::filesystem;
constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

/// The number of kB behind "name:" in a file of /proc, as bytes.
std::optional<uint64_t> kilobytes(const fs::path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name + ':')) continue;
    std::istringstream rest(line.substr(name.size() + 1));
    if (uint64_t value = 0; rest >> value) return value * 1024;
  }
  return std::nullopt;
}

std::optional<uint64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  if (uint64_t value = 0; in >> value) return value;
  return std::nullopt;  // not there, or "max"
}

/// The sum of these fields of a memory.stat.
uint64_t stat_sum(const fs::path& file, const std::vector<std::string>& fields) {
  std::ifstream in(file);
  uint64_t sum = 0, value = 0;
  for (std::string field; in >> field >> value;)
    for (const std::string& wanted : fields)
      if (field == wanted) sum += value;
  return sum;
}

/// What one cgroup leaves: its limit less what is used in it; file pages can be taken back.
uint64_t left_in(const fs::path& group, bool second) {
  const auto limit = number_in(group / (second ? "memory.max" : "memory.limit_in_bytes"));
  const auto usage = number_in(group / (second ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || !usage) return kUnlimited;
  const uint64_t files =
      second ? stat_sum(group / "memory.stat", {"active_file", "inactive_file"})
             : stat_sum(group / "memory.stat", {"total_active_file", "total_inactive_file"});
  const uint64_t used = *usage > files ? *usage - files : 0;
  return *limit > used ? *limit - used : 0;
}

/// The least that the cgroup at `path` below `mount` and those above it leave. In a container the path may be the host's:
/// then only the mount itself is there.
uint64_t left_below(const fs::path& mount, const std::string& path, bool second) {
  uint64_t least = left_in(mount, second);
  fs::path group = mount;
  for (const fs::path& part : fs::path(path).relative_path()) {
    group /= part;
    std::error_code failed;
    if (!fs::is_directory(group, failed)) break;
    least = std::min(least, left_in(group, second));
  }
  return least;
}

uint64_t left_by_cgroups(const fs::path& root) {
  std::ifstream in(root / "proc/self/cgroup");
  uint64_t least = kUnlimited;
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    const std::string path = line.substr(second + 1);
    if (controllers == ",,")
      least = std::min(least, left_below(root / "sys/fs/cgroup", path, true));
    else if (controllers.find(",memory,") != std::string::npos)
      least = std::min(least, left_below(root / "sys/fs/cgroup/memory", path, false));
  }
  return least;
}

}  // namespace

uint64_t available_memory_bytes(const std::string& root) {
  const fs::path base = root.empty() ? fs::path("/") : fs::path(root);
  const uint64_t own = kilobytes(base / "proc/self/status", "VmRSS").value_or(0);
  const uint64_t system = kilobytes(base / "proc/meminfo", "MemAvailable").value_or(kUnlimited);
  const uint64_t least = std::min(system, left_by_cgroups(base));
  return least > kUnlimited - own ? kUnlimited : least + own;
}

uint64_t parse_bytes(const std::string& words) {
  static const std::vector<std::pair<std::string, double>> kUnits = {
      {"", 1},      {"B", 1},        {"kB", 1e3},     {"KB", 1e3},     {"MB", 1e6},    {"GB", 1e9},
      {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  double value = 0;
  const char* end = words.data() + words.size();
  const auto [rest, status] = std::from_chars(words.data(), end, value, std::chars_format::fixed);
  std::string unit(rest, end);
  if (unit.starts_with(' ')) unit.erase(0, 1);
  if (status == std::errc() && std::isfinite(value))
    for (const auto& [name, factor] : kUnits)
      if (unit == name && value * factor >= 1e6 && value * factor <= 0x1p60)
        return static_cast<uint64_t>(value * factor);
  throw Error(ErrorKind::kUsage,
              text("a memory limit of '", printable(words),
                   "' was given, needed bytes such as 1GiB, 800MB or 1073741824, at least 1 MB"));
}

}  // namespace plumb::harness
