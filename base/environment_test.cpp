#include "base/environment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "base/commit.h"
#include "base/environment_probe.h"
#include "base/file.h"
#include "base/testing.h"

namespace plumb {
namespace {

using ::testing::HasSubstr;
using Facts = std::vector<std::pair<std::string, std::string>>;

std::string fact(const Facts& facts, const std::string& name) {
  const auto found =
      std::find_if(facts.begin(), facts.end(), [&](const auto& f) { return f.first == name; });
  return found == facts.end() ? "absent" : found->second;
}

/// A machine made of files.
class Machine {
 public:
  void file(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((root_ / name).parent_path());
    write_file_atomically(root_ / name, content);
  }
  MachineProbe probe(int cores) const { return probe_machine(root_.path(), cores); }
  static Machine quiet() {
    Machine machine;
    machine.file("proc/cpuinfo",
                 "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nphysical id\t: 0\ncore id\t: 0\n"
                 "flags\t\t: fpu avx2 amx_bf16 avx512_bf16 hypervisor\n\n"
                 "processor\t: 1\nmodel name\t: Some CPU @ 2GHz\nphysical id\t: 0\ncore id\t: 1\n\n"
                 "processor\t: 2\nmodel name\t: Some CPU @ 2GHz\nphysical id\t: 0\ncore id\t: 1\n");
    machine.file("proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n");
    machine.file("proc/loadavg", "0.50 0.40 0.30 1/200 777\n");
    machine.file("proc/sys/kernel/osrelease", "6.1.0-test\n");
    machine.file("etc/os-release",
                 "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    machine.file("sys/fs/cgroup/memory.max", "max\n");
    machine.file("sys/fs/cgroup/cpu.max", "max 100000\n");
    machine.file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    return machine;
  }
  Machine() : folder_(std::make_unique<testing::TemporaryFolder>()), root_(*folder_) {}

 private:
  std::unique_ptr<testing::TemporaryFolder> folder_;
  testing::TemporaryFolder& root_;
};

TEST(MachineProbe, TellsTheFactsOfAQuietMachineWithoutAWarning) {
  const MachineProbe probe = Machine::quiet().probe(3);
  EXPECT_EQ(fact(probe.facts, "CPU"), "Some CPU @ 2GHz");
  EXPECT_EQ(fact(probe.facts, "cores"), "3 usable, 2 physical");
  EXPECT_EQ(fact(probe.facts, "CPU flags"), "avx2 avx512_bf16 amx_bf16");
  EXPECT_EQ(fact(probe.facts, "virtual machine"), "yes");
  EXPECT_EQ(fact(probe.facts, "memory"), "16.0 GiB");
  EXPECT_EQ(fact(probe.facts, "memory limit"), "absent");
  EXPECT_EQ(fact(probe.facts, "system"), "Debian GNU/Linux 12 (bookworm), Linux 6.1.0-test");
  EXPECT_EQ(fact(probe.facts, "frequency governor"), "performance");
  EXPECT_THAT(probe.warnings, ::testing::IsEmpty());
}

TEST(MachineProbe, WarnsOfAGovernorThatIsNotPerformance) {
  Machine machine = Machine::quiet();
  machine.file("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
  const MachineProbe probe = machine.probe(3);
  EXPECT_EQ(fact(probe.facts, "frequency governor"), "performance, powersave");
  EXPECT_THAT(probe.warnings,
              ::testing::ElementsAre(HasSubstr("governor is 'performance, powersave'")));
}

TEST(MachineProbe, WarnsOfALoadAboveTheUsableCores) {
  Machine machine = Machine::quiet();
  machine.file("proc/loadavg", "2.60 1.0 1.0 3/200 1\n");
  EXPECT_THAT(machine.probe(3).warnings, ::testing::IsEmpty());
  EXPECT_THAT(machine.probe(2).warnings,
              ::testing::ElementsAre(HasSubstr("load average 2.60 on 2")));
}

TEST(MachineProbe, WarnsOfAContainersLimitsInBothVersions) {
  Machine second = Machine::quiet();
  second.file("sys/fs/cgroup/memory.max", "4294967296\n");
  second.file("sys/fs/cgroup/cpu.max", "150000 100000\n");
  Machine first = Machine::quiet();
  first.file("sys/fs/cgroup/memory.max", "");
  first.file("sys/fs/cgroup/cpu.max", "");
  first.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "4294967296\n");
  first.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
  first.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  for (const Machine* machine : {&first, &second}) {
    const MachineProbe probe = machine->probe(3);
    EXPECT_EQ(fact(probe.facts, "memory limit"), "4.0 GiB");
    EXPECT_EQ(fact(probe.facts, "CPU limit"), "1.5 cores");
    EXPECT_THAT(probe.warnings,
                ::testing::ElementsAre(HasSubstr("4.0 GiB of 16.0 GiB"),
                                       HasSubstr("1.5 cores' time though it sees 3")));
  }
}

TEST(MachineProbe, TakesNoLimitOfVersionOneForNone) {
  Machine machine = Machine::quiet();
  machine.file("sys/fs/cgroup/memory.max", "");
  machine.file("sys/fs/cgroup/cpu.max", "");
  machine.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_THAT(machine.probe(3).warnings, ::testing::IsEmpty());
}

TEST(MachineProbe, SaysUnknownWhereNothingTells) {
  const MachineProbe probe = Machine().probe(4);
  EXPECT_EQ(fact(probe.facts, "CPU"), "unknown");
  EXPECT_EQ(fact(probe.facts, "cores"), "4 usable");
  EXPECT_EQ(fact(probe.facts, "system"), "unknown");
}

TEST(Environment, SaysHowItWasBuiltAndWhereItRuns) {
  const Environment found = environment();
  for (const std::string name :
       {"version", "commit", "build type", "compiler", "OpenSSL", "Google Benchmark"})
    EXPECT_NE(fact(found.build, name), "absent") << name;
  for (const std::string name : {"CPU", "cores", "memory", "system"})
    EXPECT_NE(fact(found.machine, name), "absent") << name;
}

TEST(Environment, WarnsWhereTheBenchmarkLibraryIsADebugBuild) {
  const auto& warnings = environment().warnings;
  const bool warned = std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
    return warning.find("Google Benchmark was built as debug") != std::string::npos;
  });
  EXPECT_EQ(warned, benchmark_library_build() == "debug");
}

TEST(VersionLine, HasVersionCommitBuildTypeAndCompiler) {
  EXPECT_THAT(version_line(), ::testing::MatchesRegex(
                                  "plumb [0-9.]+ \\(commit .*, .*, (g\\+\\+|clang) [0-9.]+\\)"));
  EXPECT_THAT(version_line(), HasSubstr(source_commit()));
}

}  // namespace
}  // namespace plumb
