#include "base/environment_probe.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/system_files.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using system_files::field;
using system_files::first_line;
using system_files::gibibytes;
using system_files::number;

/// CPU flags on which the speed of the kernels depends.
constexpr std::array kFlags = {"avx2",        "fma",         "f16c",        "avx512f",  "avx512bw",
                               "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16"};

/// Physical cores: distinct pairs of package and core in /proc/cpuinfo; 0 where it does not say.
size_t physical_cores(const fs::path& cpuinfo) {
  std::ifstream in(cpuinfo);
  std::set<std::string> cores;
  std::string package;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("physical id")) package = line;
    if (line.starts_with("core id")) cores.insert(package + line);
  }
  return cores.size();
}

void probe_cpu(const fs::path& root, int usable_cores, MachineProbe& out) {
  const fs::path cpuinfo = root / "proc/cpuinfo";
  const std::string model = field(cpuinfo, "model name", ':');
  out.facts.emplace_back("CPU", model.empty() ? "unknown" : model);
  const size_t physical = physical_cores(cpuinfo);
  out.facts.emplace_back("cores", physical == 0
                                      ? text(usable_cores, " usable")
                                      : text(usable_cores, " usable, ", physical, " physical"));
  std::istringstream all(field(cpuinfo, "flags", ':'));
  const std::set<std::string> present(std::istream_iterator<std::string>(all),
                                      std::istream_iterator<std::string>{});
  std::string flags;
  for (const char* flag : kFlags)
    if (present.count(flag) > 0) flags.append(flags.empty() ? "" : " ").append(flag);
  out.facts.emplace_back("CPU flags", flags.empty() ? "none of those that matter" : flags);
  if (present.count("hypervisor") > 0) out.facts.emplace_back("virtual machine", "yes");
}

void probe_governor(const fs::path& root, MachineProbe& out) {
  std::set<std::string> governors;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root / "sys/devices/system/cpu", ignored)) {
    const std::string governor = first_line(entry.path() / "cpufreq/scaling_governor");
    if (!governor.empty()) governors.insert(governor);
  }
  if (governors.empty()) return;
  std::string names;
  for (const std::string& name : governors) names.append(names.empty() ? "" : ", ").append(name);
  out.facts.emplace_back("frequency governor", names);
  if (governors != std::set<std::string>{"performance"})
    out.warnings.push_back(
        text("the CPU's frequency governor is '", names,
             "', so timings drift; set it to 'performance' before measuring cost"));
}

void probe_load(const fs::path& root, int usable_cores, MachineProbe& out) {
  const std::string line = first_line(root / "proc/loadavg");
  const auto load = number(line);
  if (!load) return;
  if (*load > usable_cores)
    out.warnings.push_back(text("the machine is busy: load average ",
                                line.substr(0, line.find(' ')), " on ", usable_cores,
                                " usable cores; timings will be too long"));
}

/// Limits of the control group that this process sees at the top: version 2, else version 1.
void probe_limits(const fs::path& root, int usable_cores, MachineProbe& out) {
  const fs::path groups = root / "sys/fs/cgroup";
  auto memory = number(first_line(groups / "memory.max"));
  if (!memory) memory = number(first_line(groups / "memory/memory.limit_in_bytes"));
  const auto total = number(field(root / "proc/meminfo", "MemTotal", ':'));
  if (total) out.facts.emplace_back("memory", gibibytes(*total * 1024));
  // Version 1 writes a huge number for "no limit".
  if (memory && total && *memory < *total * 1024) {
    out.facts.emplace_back("memory limit", gibibytes(*memory));
    out.warnings.push_back(text("the container may use ", gibibytes(*memory), " of ",
                                gibibytes(*total * 1024),
                                " memory; a model beyond that is ended by the system"));
  }

  std::istringstream version_2(first_line(groups / "cpu.max"));
  std::string quota_text, period_text;
  version_2 >> quota_text >> period_text;
  auto quota = number(quota_text), period = number(period_text);
  if (quota_text.empty()) {
    quota = number(first_line(groups / "cpu/cpu.cfs_quota_us"));
    period = number(first_line(groups / "cpu/cpu.cfs_period_us"));
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return;
  const double cores = *quota / *period;
  out.facts.emplace_back("CPU limit", text(cores, " cores"));
  if (cores < usable_cores)
    out.warnings.push_back(text("the container may use ", cores, " cores' time though it sees ",
                                usable_cores, "; use at most ",
                                std::max(1, static_cast<int>(cores)), " threads"));
}

}  // namespace

MachineProbe probe_machine(const fs::path& root, int usable_cores) {
  MachineProbe out;
  probe_cpu(root, usable_cores, out);
  probe_limits(root, usable_cores, out);
  const std::string system = field(root / "etc/os-release", "PRETTY_NAME", '=');
  const std::string kernel = first_line(root / "proc/sys/kernel/osrelease");
  out.facts.emplace_back("system", text(system.empty() ? "unknown" : system,
                                        kernel.empty() ? "" : ", Linux ", kernel));
  probe_governor(root, out);
  probe_load(root, usable_cores, out);
  return out;
}

std::string benchmark_library_build() {
  // The library says how it was built only in the head of its JSON report.
  std::ostringstream head;
  benchmark::JSONReporter reporter;
  reporter.SetOutputStream(&head);
  reporter.SetErrorStream(&head);
  reporter.ReportContext(benchmark::BenchmarkReporter::Context());
  return head.str().find("\"library_build_type\": \"debug\"") == std::string::npos ? "release"
                                                                                   : "debug";
}

}  // namespace plumb
