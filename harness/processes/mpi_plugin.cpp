// libplumb_mpi.so: the only source with MPI's header.

#define OMPI_SKIP_MPICXX  // the C++ bindings, which are deprecated and need a library of their own
#include <mpi.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <list>
#include <vector>

#include "harness/processes/mpi_table.h"

namespace plumb::harness {
namespace {

constexpr const char* kStopped = "stopped by a signal";
constexpr int kTag = 1;
constexpr int kSpins = 200;               // of a wait, before it sleeps
constexpr useconds_t kSleepMicros = 200;  // far below a step's time

bool (*stop)() = nullptr;

struct Sent {
  std::vector<char> bytes;
  MPI_Request request = MPI_REQUEST_NULL;
};
std::list<Sent> on_their_way;

/// Why a call failed, or nullptr.
const char* reason(int code) {
  if (code == MPI_SUCCESS) return nullptr;
  static char words[MPI_MAX_ERROR_STRING];
  int size = 0;
  if (MPI_Error_string(code, words, &size) != MPI_SUCCESS)
    std::snprintf(words, sizeof words, "MPI error %d", code);
  return words;
}

/// MPI's own waits take a whole core.
const char* wait_for(MPI_Request request) {
  int done = 0;
  for (int tries = 0;; ++tries) {
    if (const char* why = reason(MPI_Test(&request, &done, MPI_STATUS_IGNORE))) return why;
    if (done != 0) return nullptr;
    if (stop != nullptr && stop()) return kStopped;
    if (tries >= kSpins) usleep(kSleepMicros);
  }
}

const char* begin(int* rank, int* count, bool (*when_to_stop)()) {
  int given = 0;
  // One thread of this process calls MPI, whatever others it has.
  if (const char* why = reason(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given)))
    return why;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  stop = when_to_stop;
  if (const char* why = reason(MPI_Comm_rank(MPI_COMM_WORLD, rank))) return why;
  return reason(MPI_Comm_size(MPI_COMM_WORLD, count));
}

bool fits(uint64_t bytes) { return bytes % 4 == 0 && bytes / 4 <= INT_MAX; }
constexpr const char* kUnfit = "a message is not of 4-byte words, or has more than 2^31 of them";

const char* exchange(const void* send, void* receive, uint64_t bytes) {
  if (!fits(bytes)) return kUnfit;
  MPI_Request request = MPI_REQUEST_NULL;
  const int words = static_cast<int>(bytes / 4);
  const int code = MPI_Ialltoall(send, words, MPI_INT32_T, receive, words, MPI_INT32_T,
                                 MPI_COMM_WORLD, &request);
  if (const char* why = reason(code)) return why;
  return wait_for(request);
}

const char* gather(const void* send, void* receive, uint64_t bytes) {
  if (!fits(bytes)) return kUnfit;
  MPI_Request request = MPI_REQUEST_NULL;
  const int words = static_cast<int>(bytes / 4);
  const int code = MPI_Iallgather(send, words, MPI_INT32_T, receive, words, MPI_INT32_T,
                                  MPI_COMM_WORLD, &request);
  if (const char* why = reason(code)) return why;
  return wait_for(request);
}

const char* broadcast(void* data, uint64_t bytes) {
  constexpr uint64_t kPiece = uint64_t{1} << 30;
  for (uint64_t at = 0; at < bytes; at += kPiece) {
    MPI_Request request = MPI_REQUEST_NULL;
    const int count = static_cast<int>(bytes - at < kPiece ? bytes - at : kPiece);
    const int code =
        MPI_Ibcast(static_cast<char*>(data) + at, count, MPI_BYTE, 0, MPI_COMM_WORLD, &request);
    if (const char* why = reason(code)) return why;
    if (const char* why = wait_for(request)) return why;
  }
  return nullptr;
}

/// Frees what has arrived; the test is what moves the rest on.
const char* push_on() {
  for (auto one = on_their_way.begin(); one != on_their_way.end();) {
    int done = 0;
    if (const char* why = reason(MPI_Test(&one->request, &done, MPI_STATUS_IGNORE))) return why;
    one = done != 0 ? on_their_way.erase(one) : std::next(one);
  }
  return nullptr;
}

const char* send(const void* data, uint64_t bytes, int to) {
  if (bytes > INT_MAX) return kUnfit;
  const auto* first = static_cast<const char*>(data);
  Sent& one = on_their_way.emplace_back();
  one.bytes.assign(first, first + bytes);
  if (const char* why = reason(MPI_Isend(one.bytes.data(), static_cast<int>(bytes), MPI_BYTE, to,
                                         kTag, MPI_COMM_WORLD, &one.request)))
    return why;
  return push_on();
}

const char* look(int* from, uint64_t* bytes) {
  *from = -1;
  int there = 0, count = 0;
  MPI_Status status;
  if (const char* why = push_on()) return why;
  if (const char* why = reason(MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &there, &status)))
    return why;
  if (there == 0) return nullptr;
  if (const char* why = reason(MPI_Get_count(&status, MPI_BYTE, &count))) return why;
  *from = status.MPI_SOURCE;
  *bytes = static_cast<uint64_t>(count);
  return nullptr;
}

const char* take(int from, void* data, uint64_t bytes) {
  MPI_Request request = MPI_REQUEST_NULL;
  if (const char* why = reason(
          MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, from, kTag, MPI_COMM_WORLD, &request)))
    return why;
  return wait_for(request);
}

const char* end() {
  for (Sent& one : on_their_way)
    if (const char* why = wait_for(one.request)) return why;
  on_their_way.clear();
  MPI_Request request = MPI_REQUEST_NULL;
  if (const char* why = reason(MPI_Ibarrier(MPI_COMM_WORLD, &request))) return why;
  if (const char* why = wait_for(request)) return why;  // MPI_Finalize would wait at full speed
  return reason(MPI_Finalize());
}

const char* library() {
  static char words[64];
#ifdef OMPI_MAJOR_VERSION
  std::snprintf(words, sizeof words, "Open MPI %d.%d.%d", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION,
                OMPI_RELEASE_VERSION);
#else
  std::snprintf(words, sizeof words, "MPI %d.%d", MPI_VERSION, MPI_SUBVERSION);
#endif
  return words;
}

}  // namespace
}  // namespace plumb::harness

extern "C" __attribute__((visibility("default"))) const plumb::harness::MpiTable* plumb_mpi_table();

const plumb::harness::MpiTable* plumb_mpi_table() {
  using namespace plumb::harness;
  static const MpiTable table{kMpiTableVersion, library(), begin, kStopped, exchange, gather,
                              broadcast,        send,      look,  take,     end};
  return &table;
}
