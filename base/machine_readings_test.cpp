#include "base/machine_readings.h"

#include <gmock/gmock.h>

#include "base/machine_testing.h"

namespace plumb {
namespace {

using ::testing::ElementsAre;
using testing::FakeMachine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Readings of one moment, in files; 100 ticks are a second.
struct Moment {
  double busy = 1000, steal = 10, own = 500, throttled = 3, swapped = 7, khz = 2000000;
  double energy_uj = 5e6;

  MachineReadings read() const {
    const FakeMachine machine;
    const auto ticks = [](double seconds) { return text(static_cast<int64_t>(seconds * 100)); };
    machine.file("proc/stat", text("cpu  ", ticks(busy), " 0 0 999 0 0 0 ", ticks(steal),
                                   " 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"));
    machine.file("proc/self/stat", text("7 (a name) with ) R 1 1 1 0 -1 0 0 0 0 0 ", ticks(own),
                                        " 0 0 0 20 0 1 0\n"));
    machine.file("proc/loadavg", "1.50 1 1 1/1 1\n");
    machine.file("proc/vmstat", text("pgfault 5\npswpin ", swapped, "\npswpout 0\n"));
    const std::string cpu = "sys/devices/system/cpu/cpu0/";
    machine.file(cpu + "thermal_throttle/core_throttle_count", text(throttled, "\n"));
    machine.file(cpu + "cpufreq/scaling_cur_freq", text(static_cast<int64_t>(khz), "\n"));
    const std::string rapl = "sys/class/powercap/intel-rapl:0/";
    machine.file(rapl + "energy_uj", text(static_cast<int64_t>(energy_uj), "\n"));
    machine.file(rapl + "max_energy_range_uj", "262143328850\n");
    machine.file("sys/class/powercap/intel-rapl:0:0/energy_uj", "99\n");
    return read_machine(machine.root());
  }
};

/// Ten seconds of two cores later, both busy with this process.
Moment later() {
  Moment end;
  end.busy += 20, end.own += 20, end.energy_uj += 50e6;
  return end;
}

std::vector<std::string> reasons(const Moment& end) {
  return timing_doubts(Moment().read(), end.read(), 10, 2).reasons;
}

TEST(MachineReadings, ReadWhatFilesCount) {
  const MachineReadings found = Moment().read();
  EXPECT_DOUBLE_EQ(found.busy_seconds.value(), 1000);
  EXPECT_DOUBLE_EQ(found.steal_seconds.value(), 10);
  EXPECT_DOUBLE_EQ(found.own_seconds.value(), 500);
  EXPECT_DOUBLE_EQ(found.load.value(), 1.5);
  EXPECT_DOUBLE_EQ(found.throttled.value(), 3);
  EXPECT_DOUBLE_EQ(found.swapped_pages.value(), 7);
  EXPECT_DOUBLE_EQ(found.megahertz.value(), 2000);
  EXPECT_DOUBLE_EQ(found.energy_joules.value(),
                   5);  // the package alone: what is below is part of it
}

TEST(TimingDoubts, AreNoneOfAQuietMachine) {
  EXPECT_THAT(reasons(later()), IsEmpty());
  EXPECT_THAT(timing_doubts(Moment().read(), later().read(), 10, 2).unknown, IsEmpty());
}

TEST(TimingDoubts, NameStolenTime) {
  Moment end = later();
  end.steal += 0.19;  // of 20 s, just tolerable
  EXPECT_THAT(reasons(end), IsEmpty());
  end.steal += 0.1;
  EXPECT_THAT(reasons(end), ElementsAre(HasSubstr("the hypervisor gave 1.4 %")));
}

TEST(TimingDoubts, NameOtherProcesses) {
  Moment end = later();
  end.own -= 0.9;
  EXPECT_THAT(reasons(end), IsEmpty());
  end.own -= 1.1;
  EXPECT_THAT(reasons(end), ElementsAre(HasSubstr("other processes took 10 %")));
  end = later(), end.own = Moment().own;
  EXPECT_THAT(reasons(end), ElementsAre(HasSubstr("other processes took 100 %")));
}

TEST(TimingDoubts, NameThrottlingSwappingAndFrequency) {
  Moment hot = later(), full = later(), slow = later();
  ++hot.throttled, full.swapped += 12, slow.khz *= 0.95;
  EXPECT_THAT(reasons(hot), ElementsAre(HasSubstr("throttling")));
  EXPECT_THAT(reasons(full), ElementsAre(HasSubstr("12 pages were swapped")));
  EXPECT_THAT(reasons(slow), ElementsAre(HasSubstr("frequency scaling")));
  slow.khz = 0.98 * Moment().khz;
  EXPECT_THAT(reasons(slow), IsEmpty());
}

TEST(TimingDoubts, SayWhatIsUnknown) {
  const MachineReadings nothing = read_machine(FakeMachine().root());
  const TimingDoubts doubts = timing_doubts(nothing, nothing, 1, 1);
  EXPECT_THAT(doubts.reasons, IsEmpty());
  EXPECT_EQ(doubts.unknown.size(), 5u);
}

TEST(EnergyBetween, CountsOverTheCountersEnd) {
  EXPECT_DOUBLE_EQ(energy_between(Moment().read(), later().read()).joules.value(), 50);
  Moment start, end;
  start.energy_uj = 262143e6, end.energy_uj = 10e6;
  EXPECT_NEAR(energy_between(start.read(), end.read()).joules.value(), 10.32885, 1e-9);
}

TEST(EnergyBetween, IsNoneWithTheReasonWhereNothingCounts) {
  const MachineReadings nothing = read_machine(FakeMachine().root());
  const EnergyUsed used = energy_between(nothing, Moment().read());
  EXPECT_FALSE(used.joules.has_value());
  EXPECT_THAT(used.reason, HasSubstr("counts no energy"));
}

TEST(StandingDoubts, NameAGovernorAndALimit) {
  FakeMachine machine;
  machine.file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  machine.file("sys/devices/system/cpu/cpufreq/boost", "0\n");
  EXPECT_THAT(standing_doubts(machine.root(), 2).unknown, IsEmpty());
  const size_t of_build = standing_doubts(machine.root(), 2).reasons.size();
  machine.file("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  EXPECT_THAT(standing_doubts(machine.root(), 2).reasons[0], HasSubstr("'powersave'"));
  machine.file("sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(standing_doubts(machine.root(), 2).reasons.size(), of_build + 2);
  EXPECT_EQ(standing_doubts(machine.root(), 1).reasons.size(), of_build + 1);
}

TEST(StandingDoubts, SayWhatIsUnknown) {
  EXPECT_THAT(standing_doubts(FakeMachine().root(), 2).unknown,
              ElementsAre("frequency governor", "turbo"));
}

}  // namespace
}  // namespace plumb
