#include "base/system_description.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "base/machine_testing.h"

namespace plumb {
namespace {

using testing::FakeMachine;

/// Two packages of two cores, one disk, one card, one accelerator.
FakeMachine server() {
  FakeMachine machine;
  std::string cpuinfo;
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string number = std::to_string(cpu);
    cpuinfo += "processor\t: " + number +
               "\nmodel name\t: Some CPU @ 2GHz\nmicrocode\t: 0x1\nphysical id\t: " +
               std::to_string(cpu / 2) + "\nflags\t\t: fpu avx2\n\n";
    const std::string folder = "sys/devices/system/cpu/cpu" + number;
    machine.file(folder + "/topology/physical_package_id", std::to_string(cpu / 2) + "\n");
    machine.file(folder + "/topology/core_id", std::to_string(cpu % 2) + "\n");
    machine.file(folder + "/cpufreq/scaling_governor", "performance\n");
    machine.file(folder + "/cpufreq/scaling_driver", "intel_pstate\n");
    machine.file(folder + "/cpufreq/cpuinfo_max_freq", "3500000\n");
  }
  machine.file("sys/devices/system/cpu/cpu0/cache/index0/level", "1\n");
  machine.file("sys/devices/system/cpu/cpu0/cache/index0/type", "Data\n");
  machine.file("sys/devices/system/cpu/cpu0/cache/index0/size", "48K\n");
  machine.file("sys/devices/system/cpu/cpu0/cache/index1/level", "3\n");
  machine.file("sys/devices/system/cpu/cpu0/cache/index1/type", "Unified\n");
  machine.file("sys/devices/system/cpu/cpu0/cache/index1/size", "32768K\n");
  machine.file("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  machine.file("sys/devices/system/cpu/smt/control", "off\n");
  machine.file("sys/devices/system/node/node0/meminfo", "");
  machine.file("sys/devices/system/node/node1/meminfo", "");
  machine.file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  machine.file("sys/fs/cgroup/cpu.max", "150000 100000\n");
  machine.file("sys/block/nvme0n1/size", "2097152\n");
  machine.file("sys/block/loop0/size", "2097152\n");
  machine.file("sys/class/net/eth0/device/vendor", "0x1\n");
  machine.file("sys/class/net/eth0/speed", "25000\n");
  machine.file("sys/class/net/lo/speed", "");
  machine.file("sys/class/dmi/id/sys_vendor", "Maker\n");
  machine.file("sys/class/dmi/id/product_name", "Box 9\n");
  machine.file("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t Some GPU\n");
  machine.file("proc/cpuinfo", cpuinfo);
  machine.file("proc/meminfo", "MemTotal:       16777216 kB\nHugePages_Total:       8\n");
  machine.file("proc/loadavg", "0.50 0.40 0.30 1/200 777\n");
  machine.file("proc/sys/kernel/osrelease", "6.1.0-test\n");
  machine.file("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
  return machine;
}

TEST(SystemDescription, ReadsEveryFieldThatFilesTell) {
  const SystemDescription found = describe_system(server().root(), 3);
  const SystemDescription::Facts wanted = {
      {"system_name", "Maker Box 9"},
      {"number_of_nodes", "1"},
      {"host_processor_model_name", "Some CPU @ 2GHz"},
      {"host_processors_per_node", "2"},
      {"host_processor_core_count", "4"},
      {"host_memory_capacity", "16.0 GiB"},
      {"host_storage_capacity", "1.0 GiB"},
      {"host_storage_type", "NVMe SSD"},
      {"accelerators_per_node", "1"},
      {"accelerator_model_name", "Some GPU"},
      {"operating_system", "Debian GNU/Linux 12 (bookworm), Linux 6.1.0-test"},
      {"host_processor_frequency", "at most 3.5 GHz"},
      {"host_processor_caches", "L1d 48K, L3 32768K"},
      {"host_networking", "25000 Mbit/s"},
      {"host_network_card_count", "1"},
      {"usable cores", "3"},
      {"virtual machine", "no"},
      {"frequency governor", "performance"},
      {"turbo", "off"},
      {"SMT", "off"},
      {"NUMA nodes", "2"},
      {"transparent huge pages", "madvise"},
      {"huge pages", "8"},
      {"CPU limit", "1.5 cores"}};
  for (const auto& [name, value] : wanted) EXPECT_EQ(found.of(name), value) << name;
}

TEST(SystemDescription, HasThirtyFiveRequiredFieldsAndNoneIsEmpty) {
  for (const FakeMachine& machine : {server(), FakeMachine()}) {
    const SystemDescription found = describe_system(machine.root(), 1);
    EXPECT_EQ(found.required.size(), 35u);
    for (const auto* facts : {&found.required, &found.further})
      for (const auto& [name, value] : *facts) EXPECT_NE(value, "") << name;
  }
}

TEST(SystemDescription, SaysUnknownWhereNothingTells) {
  const SystemDescription found = describe_system(FakeMachine().root(), 1);
  for (const char* name : {"host_processor_model_name", "host_memory_capacity", "turbo",
                           "frequency governor", "microcode", "kernel"})
    EXPECT_EQ(found.of(name), "unknown") << name;
  EXPECT_EQ(found.of("accelerators_per_node"), "0");
  EXPECT_EQ(found.of("accelerator_model_name"), "N/A");
}

TEST(SystemDescription, TakesAFieldThatOthersKnowAndNoOther) {
  SystemDescription found = describe_system(FakeMachine().root(), 1);
  found.set("framework", "libtorch 2");
  EXPECT_EQ(found.of("framework"), "libtorch 2");
  found.set("framework", "");
  EXPECT_EQ(found.of("framework"), "unknown");
  EXPECT_EQ(testing::error_of([&] { found.set("colour", "red"); }).kind(), ErrorKind::kInternal);
}

TEST(TimingFingerprint, IsTheSameForTheSameMachineWhateverItIsDoing) {
  const FakeMachine machine = server();
  const std::string before = timing_fingerprint(describe_system(machine.root(), 3));
  EXPECT_THAT(before, ::testing::MatchesRegex("[0-9a-f]{16}"));
  machine.file("proc/loadavg", "7.00 0.40 0.30 1/200 777\n");
  EXPECT_EQ(timing_fingerprint(describe_system(machine.root(), 3)), before);
}

TEST(TimingFingerprint, DiffersWithEverythingThatChangesTimes) {
  const std::string before = timing_fingerprint(describe_system(server().root(), 3));
  EXPECT_NE(timing_fingerprint(describe_system(server().root(), 2)), before);
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"},
      {"sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"},
      {"sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"},
      {"sys/fs/cgroup/cpu.max", "max 100000\n"},
      {"proc/sys/kernel/osrelease", "6.2.0-test\n"},
      {"proc/meminfo", "MemTotal:       8388608 kB\nHugePages_Total:       8\n"},
      {"proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: Another\n"}};
  for (const auto& [name, content] : changes) {
    const FakeMachine machine = server();
    machine.file(name, content);
    EXPECT_NE(timing_fingerprint(describe_system(machine.root(), 3)), before) << name;
  }
}

TEST(SystemDescription, OfThisMachineIsReadTwiceAlike) {
  const SystemDescription first = describe_system(), second = describe_system();
  EXPECT_EQ(timing_facts(first), timing_facts(second));
  EXPECT_NE(first.of("host_memory_capacity"), "unknown");
}

}  // namespace
}  // namespace plumb
