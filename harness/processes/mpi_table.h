#pragma once

#include <cstdint>

/// What libplumb_mpi.so gives to the program: plain C functions, so that MPI's header and library stay on its side. It is
/// opened where a launcher started several processes; see processes.cpp.
namespace plumb::harness {

/// Version of the table below; a plug-in built for another one is refused by name.
inline constexpr uint32_t kMpiTableVersion = 1;

/// The processes of MPI_COMM_WORLD, called ranks. Functions return nullptr, or why not, in a text that stays until the next
/// call. None throws, prints or ends the process. One thread. Whoever waits sleeps: a rank that waits for another leaves its
/// core alone.
struct MpiTable {
  uint32_t version = 0;
  const char* library = nullptr;  ///< "Open MPI 4.1.4"

  /// Must be first. `stop` is asked while a call waits; where it gives true the call returns `stopped`.
  const char* (*begin)(int* rank, int* count, bool (*stop)()) = nullptr;
  const char* stopped = nullptr;

  /// Part r of `send` goes to rank r; `receive` has what each rank sent here, in their order. `bytes` of one part, a multiple
  /// of 4.
  const char* (*exchange)(const void* send, void* receive, uint64_t bytes) = nullptr;
  /// `bytes` of each rank, in their order.
  const char* (*gather)(const void* send, void* receive, uint64_t bytes) = nullptr;
  /// Rank 0's to all.
  const char* (*broadcast)(void* data, uint64_t bytes) = nullptr;
  /// Returns at once: the bytes are copied, and on their way whenever a function of this table is called.
  const char* (*send)(const void* data, uint64_t bytes, int to) = nullptr;
  /// A message that has come, if any: its sender and size, or -1. `take` must follow.
  const char* (*look)(int* from, uint64_t* bytes) = nullptr;
  const char* (*take)(int from, void* data, uint64_t bytes) = nullptr;
  /// All ranks, last; waits for what is on its way.
  const char* (*end)() = nullptr;
};

/// The one symbol that the plug-in exports: `extern "C" const plumb::harness::MpiTable* plumb_mpi_table();`
inline constexpr const char* kMpiTableSymbol = "plumb_mpi_table";

}  // namespace plumb::harness
