#pragma once

#include <cstdint>

namespace plumb::models {

/// What tests ask of the fake device, through the symbol plumb_fake_device_control of its plug-in.
struct FakeDeviceControl {
  /// Forgets races, log and peak; the device then has so much memory, what is in use included.
  void (*reset)(uint64_t memory_bytes);
  uint64_t (*used_bytes)();
  uint64_t (*peak_bytes)();
  /// Accesses that nothing puts in an order, one a line; empty where all are ordered.
  const char* (*races)();
  /// What was issued, in the host's order, one a line: "copy stream 1", "product stream 0", "wait stream 0 event 3",
  /// "record stream 1 event 3".
  const char* (*log)();
};

}  // namespace plumb::models
