// What the processor can do and how much of it this process may use.

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "harness/experiment/experiment.h"

namespace plumb::harness {

int64_t quota_threads() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::max<int64_t>(1, static_cast<int64_t>(std::stod(quota) / period));
}

bool cpu_has_bf16_units() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (word == "avx512_bf16" || word == "amx_bf16") return true;
    return false;
  }
  return false;
}

int64_t available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int64_t threads = static_cast<int64_t>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof set, &set) == 0) threads = CPU_COUNT(&set);
  const int64_t quota = quota_threads();
  if (quota > 0) threads = std::min(threads, quota);
  return std::max<int64_t>(1, threads);
}

}  // namespace plumb::harness
