#include "harness/healing/healing_group.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "base/error.h"

namespace plumb::harness {

at::Tensor HealingGroup::exchange(const at::Tensor& values) const {
  const at::Tensor send = values.to(at::kCPU).contiguous();
  const at::Tensor received = at::empty(send.sizes(), send.options());
  processes_.exchange(send.const_data_ptr(), received.mutable_data_ptr(),
                      send.nbytes() / static_cast<size_t>(count()));
  return received.to(values.device());
}

at::Tensor HealingGroup::gather(const at::Tensor& values) const {
  const at::Tensor send = values.to(at::kCPU).contiguous();
  const at::Tensor received = at::empty({count(), send.numel()}, send.options());
  processes_.gather_bytes(send.const_data_ptr(), received.mutable_data_ptr(), send.nbytes());
  return received.to(values.device());
}

bool share_batches(int64_t ranks, HealingOptions& options) {
  if (options.accumulation % ranks == 0) return false;
  const int64_t sequences = options.batch * options.accumulation;
  if (sequences % ranks != 0)
    throw Error(ErrorKind::kUsage,
                text("a step of ", sequences, " sequences (--batch ", options.batch,
                     " x --accumulation ", options.accumulation, ") for ", ranks,
                     " processes; needed is a multiple of them: change --batch or "
                     "--accumulation, or start another number of processes"));
  const int64_t each = sequences / ranks;
  int64_t batch = std::min(options.batch, each);
  while (each % batch != 0) --batch;
  options.batch = batch;
  options.accumulation = sequences / batch;
  return true;
}

}  // namespace plumb::harness
