// What ranks with a CUDA device each do together, by NCCL. Compiled where its header is; its library is opened when it is asked
// for, and is most often the one that libtorch_cuda has brought, so that the plug-in loads where there is none.

#include "models/collectives.h"

#if __has_include(<nccl.h>)

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <nccl.h>

#include <cstring>

namespace plumb::models {
namespace {

static_assert(sizeof(ncclUniqueId) == kGroupIdBytes);

struct Nccl {
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRank) comm_init_rank = nullptr;
  decltype(&ncclCommCount) comm_count = nullptr;
  decltype(&ncclCommDestroy) comm_destroy = nullptr;
  decltype(&ncclGroupStart) group_start = nullptr;
  decltype(&ncclGroupEnd) group_end = nullptr;
  decltype(&ncclSend) send = nullptr;
  decltype(&ncclRecv) recv = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;
  bool whole = false;
};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Nccl open_library() {
  Nccl out;
  void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  out.whole = library != nullptr && find(library, "ncclGetUniqueId", out.get_unique_id) &&
              find(library, "ncclCommInitRank", out.comm_init_rank) &&
              find(library, "ncclCommCount", out.comm_count) &&
              find(library, "ncclCommDestroy", out.comm_destroy) &&
              find(library, "ncclGroupStart", out.group_start) &&
              find(library, "ncclGroupEnd", out.group_end) && find(library, "ncclSend", out.send) &&
              find(library, "ncclRecv", out.recv) &&
              find(library, "ncclAllGather", out.all_gather) &&
              find(library, "ncclGetErrorString", out.error_string);
  return out;
}

const Nccl& nccl() {
  static const Nccl library = open_library();
  return library;
}

const char* message(ncclResult_t status) {
  return status == ncclSuccess ? nullptr : nccl().error_string(status);
}

const char* make_id(unsigned char id[kGroupIdBytes]) {
  ncclUniqueId made;
  const char* why = message(nccl().get_unique_id(&made));
  if (why == nullptr) std::memcpy(id, &made, sizeof made);
  return why;
}

const char* open(const unsigned char id[kGroupIdBytes], int rank, int ranks, void** group) {
  ncclUniqueId given;
  std::memcpy(&given, id, sizeof given);
  ncclComm_t made = nullptr;
  const char* why = message(nccl().comm_init_rank(&made, ranks, given, rank));
  *group = made;
  return why;
}

const char* exchange(void* group, const float* send, float* receive, int64_t count, void* stream) {
  auto* all = static_cast<ncclComm_t>(group);
  int ranks = 0;
  if (const char* why = message(nccl().comm_count(all, &ranks))) return why;
  if (const char* why = message(nccl().group_start())) return why;
  const char* why = nullptr;
  for (int rank = 0; rank < ranks && why == nullptr; ++rank) {
    why = message(nccl().send(send + rank * count, static_cast<size_t>(count), ncclFloat, rank, all,
                              static_cast<cudaStream_t>(stream)));
    if (why == nullptr)
      why = message(nccl().recv(receive + rank * count, static_cast<size_t>(count), ncclFloat, rank,
                                all, static_cast<cudaStream_t>(stream)));
  }
  const char* at_the_end = message(nccl().group_end());  // also after a failure
  return why != nullptr ? why : at_the_end;
}

const char* gather(void* group, const float* send, float* receive, int64_t count, void* stream) {
  return message(nccl().all_gather(send, receive, static_cast<size_t>(count), ncclFloat,
                                   static_cast<ncclComm_t>(group),
                                   static_cast<cudaStream_t>(stream)));
}

const char* close(void* group) {
  return message(nccl().comm_destroy(static_cast<ncclComm_t>(group)));
}

constexpr CollectiveTable kTable = {
    .version = kCollectiveTableVersion,
    .library = "NCCL",
    .make_id = make_id,
    .open = open,
    .exchange = exchange,
    .gather = gather,
    .close = close,
};

}  // namespace
}  // namespace plumb::models

extern "C" __attribute__((visibility("default"))) const plumb::models::CollectiveTable*
plumb_collective_table() {
  return plumb::models::nccl().whole ? &plumb::models::kTable : nullptr;
}

#endif
