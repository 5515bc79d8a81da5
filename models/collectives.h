#pragma once

#include <cstdint>

#include "models/device.h"

namespace plumb::models {

/// What processes with a device each (ranks) do together: a second table that a plug-in may export beside that of its kernels
/// (models/device.h), whose rules for errors and threads hold here too. Without it tensors go through the host.
inline constexpr uint32_t kCollectiveTableVersion = 1;
inline constexpr uint64_t kGroupIdBytes = 128;

/// All functions are there. Pointers are device memory but for `id`.
struct CollectiveTable {
  uint32_t version = 0;
  const char* library = nullptr;  ///< "NCCL"

  /// What one rank draws and gives to the others by other means.
  const char* (*make_id)(unsigned char id[kGroupIdBytes]) = nullptr;
  /// All ranks at the same time, on the device that is current; returns when all have come.
  const char* (*open)(const unsigned char id[kGroupIdBytes], int rank, int ranks,
                      void** group) = nullptr;
  /// Part r of `send` [ranks, count] goes to rank r; `receive` [ranks, count] has what each sent here, in their order.
  /// Asynchronous on `stream`.
  const char* (*exchange)(void* group, const float* send, float* receive, int64_t count,
                          void* stream) = nullptr;
  /// `send` [count] of each rank, in their order: `receive` [ranks, count]. Asynchronous on `stream`.
  const char* (*gather)(void* group, const float* send, float* receive, int64_t count,
                        void* stream) = nullptr;
  const char* (*close)(void* group) = nullptr;
};

/// The symbol: `extern "C" const plumb::models::CollectiveTable* plumb_collective_table();`, which may return nullptr.
inline constexpr const char* kCollectiveTableSymbol = "plumb_collective_table";

/// Of the plug-in that `kernels` came from; nullptr where it has none, or one of another version.
const CollectiveTable* collectives_of(const KernelTable& kernels);

}  // namespace plumb::models
