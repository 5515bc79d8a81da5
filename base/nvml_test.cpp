// NVIDIA's management library, by one that stands in for it (nvml_fake_plugin.cpp): no test here needs a GPU, and none
// shows what a real driver says.

#include "base/nvml.h"

#include <gmock/gmock.h>

#include "base/machine_testing.h"
#include "base/testing.h"

namespace plumb {
namespace {

using plumb::testing::FakeMachine;
using plumb::testing::Variable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kBus = "face:01:00.0";

/// A system on whose first PID namespace this process runs, or another.
class Nvml : public ::testing::Test {
 protected:
  Nvml() { in_namespace("pid:[4026531836]"); }
  void in_namespace(const std::string& name) const {
    const auto link = machine_.root() / "proc/self/ns/pid";
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::remove(link);
    std::filesystem::create_symlink(name, link);
  }
  NvmlReadings read(const std::string& settings = "") const {
    const Variable changed("PLUMB_FAKE_NVML", settings);
    return read_nvml(kBus, machine_.root());
  }

  FakeMachine machine_;
  Variable library_{"PLUMB_NVML", PLUMB_BINARY_DIR "/libplumb_fake_nvml.so"};
};

/// Nothing is told, and each value says why.
void expect_none(const NvmlReadings& r, const std::string& why) {
  EXPECT_FALSE(r.joules.value || r.process_bytes.value || r.slowdowns.value ||
               r.throttled_seconds.value || r.sm_megahertz.value);
  for (const std::string& reason : {r.joules.reason, r.process_bytes.reason, r.slowdowns.reason,
                                    r.throttled_seconds.reason, r.sm_megahertz.reason})
    EXPECT_THAT(reason, HasSubstr(why));
}

TEST_F(Nvml, GivesEveryValueInItsUnit) {
  const NvmlReadings r = read("energy=7001500 power=2000000000 heat=500000000");
  EXPECT_EQ(r.joules.value, 7001.5);
  EXPECT_EQ(r.process_bytes.value, uint64_t{600} << 20) << "of both instances, and of no other";
  EXPECT_EQ(r.slowdowns.value, 1u);
  EXPECT_EQ(r.throttled_seconds.value, 2.5);
  EXPECT_EQ(r.sm_megahertz.value, 1410);
}

TEST_F(Nvml, SaysWhyThereIsNoLibrary) {
  const Variable absent("PLUMB_NVML", "/nowhere/libnvidia-ml.so.1");
  expect_none(read(), "the driver's library does not load: /nowhere/libnvidia-ml.so.1");
}

TEST_F(Nvml, RefusesALibraryOfAnotherKind) {
  const Variable other("PLUMB_NVML", "libz.so.1");
  expect_none(read(), "'libz.so.1' has no nvmlInit_v2");
}

TEST_F(Nvml, SaysWhyTheLibraryDoesNotStart) {
  expect_none(read("nvmlInit_v2=9"), "nvmlInit_v2: Other Error (9)");
}

TEST_F(Nvml, SaysWhichDeviceIsNotThere) {
  expect_none(read_nvml("0000:65:00.0"),
              "device at 0000:65:00.0: nvmlDeviceGetHandleByPciBusId_v2: Other Error (6)");
  expect_none(read_nvml(""), "the device names no PCI bus id");
}

TEST_F(Nvml, GivesTheRestWhereOneFunctionRefuses) {
  const NvmlReadings whole = read();
  const auto reason = [&](const std::string& function, const auto member) {
    const NvmlReadings r = read(function + "=3");
    EXPECT_FALSE((r.*member).value.has_value()) << function;
    EXPECT_EQ((r.*member).reason, function + ": Not Supported (3)");
    const auto told = [](const NvmlReadings& some) {
      return some.joules.value.has_value() + some.process_bytes.value.has_value() +
             some.slowdowns.value.has_value() + some.throttled_seconds.value.has_value() +
             some.sm_megahertz.value.has_value();
    };
    EXPECT_EQ(told(r), told(whole) - 1) << function;
  };
  reason("nvmlDeviceGetTotalEnergyConsumption", &NvmlReadings::joules);
  reason("nvmlDeviceGetComputeRunningProcesses_v3", &NvmlReadings::process_bytes);
  reason("nvmlDeviceGetCurrentClocksEventReasons", &NvmlReadings::slowdowns);
  reason("nvmlDeviceGetViolationStatus", &NvmlReadings::throttled_seconds);
  reason("nvmlDeviceGetClockInfo", &NvmlReadings::sm_megahertz);
}

// An older driver: its name for the reasons, and without the rest.
TEST_F(Nvml, TakesWhatAnOlderLibraryHas) {
  const Variable older("PLUMB_NVML", PLUMB_BINARY_DIR "/libplumb_fake_nvml_old.so");
  const NvmlReadings r = read();
  EXPECT_EQ(r.slowdowns.value, 0x40u);
  EXPECT_EQ(r.joules.reason,
            "'libplumb_fake_nvml_old.so' has no nvmlDeviceGetTotalEnergyConsumption");
  EXPECT_THAT(r.process_bytes.reason, HasSubstr("has no nvmlDeviceGetComputeRunningProcesses_v3"));
  EXPECT_THAT(r.throttled_seconds.reason, HasSubstr("has no nvmlDeviceGetViolationStatus"));
  EXPECT_THAT(r.sm_megahertz.reason, HasSubstr("has no nvmlDeviceGetClockInfo"));
}

TEST_F(Nvml, FindsThisProcessAmongMoreThanWereExpected) {
  EXPECT_EQ(read("processes=many").process_bytes.value, uint64_t{600} << 20);
  EXPECT_EQ(read("processes=endless").process_bytes.reason,
            "nvmlDeviceGetComputeRunningProcesses_v3: Other Error (7)");
}

// Drivers differ in it under one name of the function.
TEST_F(Nvml, FindsThisProcessWhateverTheSizeOfAnEntry) {
  for (const char* size : {"16", "24", "32"})
    EXPECT_EQ(read(text("entry=", size)).process_bytes.value, uint64_t{600} << 20) << size;
  EXPECT_THAT(read("entry=40").process_bytes.reason,
              HasSubstr("a layout that is not known here: 120 bytes for 3 processes"));
}

TEST_F(Nvml, CountsNoOtherProcessForThisOne) {
  EXPECT_EQ(read("processes=none").process_bytes.reason,
            "the driver lists 0 processes on the device, and this one is not among them");
  EXPECT_EQ(read("processes=others").process_bytes.reason,
            "the driver lists 1 processes on the device, and this one is not among them");
  EXPECT_EQ(read("processes=silent").process_bytes.reason,
            "the driver does not say how much memory a process holds");
}

// There the same number may be another process.
TEST_F(Nvml, CountsNoProcessInAPidNamespaceOfItsOwn) {
  in_namespace("pid:[4026532207]");
  EXPECT_THAT(read().process_bytes.reason, HasSubstr("PID namespace"));
  std::filesystem::remove(machine_.root() / "proc/self/ns/pid");
  EXPECT_THAT(read().process_bytes.reason, HasSubstr("PID namespace"));
}

TEST_F(Nvml, EnergyIsWhatTheCounterGrewBy) {
  const NvmlReadings before = read("energy=7000000"), after = read("energy=7001500");
  EXPECT_EQ(energy_between(before, after).joules, 1.5);
  EXPECT_FALSE(energy_between(after, before).joules.has_value());
  EXPECT_THAT(energy_between(after, before).reason, HasSubstr("went back by 1.5 J"));
  const NvmlReadings none = read("nvmlDeviceGetTotalEnergyConsumption=3");
  for (const auto& used : {energy_between(none, after), energy_between(before, none)}) {
    EXPECT_FALSE(used.joules.has_value());
    EXPECT_THAT(used.reason, HasSubstr("Not Supported"));
  }
}

TEST_F(Nvml, NothingSpeaksAgainstTimesOnADeviceThatIsNotSlowedDown) {
  const TimingDoubts doubts = timing_doubts(read("reasons=0x1"), read("reasons=0x112"), 1);
  EXPECT_THAT(doubts.reasons, IsEmpty()) << "idle, clocks that were set, and boost for all alike";
  EXPECT_THAT(doubts.unknown, IsEmpty());
}

TEST_F(Nvml, EachSlowdownSpeaksAgainstTimesWheneverItIsSeen) {
  for (const auto& [bits, word] : {std::pair("0x4", "power cap"),
                                   {"0x8", "hardware slowdown"},
                                   {"0x20", "software thermal"},
                                   {"0x40", "hardware thermal"},
                                   {"0x80", "power brake"}}) {
    const std::string setting = text("reasons=", bits);
    EXPECT_THAT(timing_doubts(read(setting), read(), 1).reasons, ElementsAre(HasSubstr(word)));
    EXPECT_THAT(timing_doubts(read(), read(setting), 1).reasons, ElementsAre(HasSubstr(word)));
  }
}

TEST_F(Nvml, TimeBelowTheClocksSpeaksAgainstTimes) {
  const auto reasons = [&](const std::string& settings) {
    return timing_doubts(read(), read(settings), 2).reasons;
  };
  EXPECT_THAT(reasons("power=20000000"), IsEmpty()) << "1 % of 2 s";
  EXPECT_THAT(reasons("power=40000000"), ElementsAre(HasSubstr("2 % of the time")));
  EXPECT_THAT(reasons("heat=40000000"), ElementsAre(HasSubstr("2 % of the time")));
}

TEST_F(Nvml, WhatIsNotToldIsUnknownAndNoReason) {
  const NvmlReadings nothing = read("nvmlInit_v2=9");
  for (const auto& doubts :
       {timing_doubts(nothing, read(), 1), timing_doubts(read(), nothing, 1)}) {
    EXPECT_THAT(doubts.reasons, IsEmpty());
    EXPECT_THAT(doubts.unknown, ElementsAre("what slows the device down",
                                            "for how long the device was slowed down"));
  }
}

}  // namespace
}  // namespace plumb
