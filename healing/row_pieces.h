#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <vector>

namespace plumb::healing {

/// Whether work may be cut and given to threads: autograd does not follow them.
inline bool may_cut(const at::Tensor& tensor) {
  return c10::InferenceMode::is_enabled() && tensor.device().is_cpu();
}

/// work(i) for i in 0..count-1, on all threads where that may be.
template <typename Work>
void for_each(int64_t count, const at::Tensor& tensor, const Work& work) {
  if (!may_cut(tensor)) {
    for (int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode no_autograd;  // a thread's own
    for (int64_t i = begin; i < end; ++i) work(i);
  });
}

/// A function of rows: work(first, count) -> [count, columns] of `type`. Shaped as `like` but for the last dimension.
template <typename Work>
at::Tensor by_rows(const at::Tensor& like, int64_t columns, at::ScalarType type, const Work& work) {
  const int64_t rows = like.numel() / like.size(-1);
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes.back() = columns;
  if (!may_cut(like)) return work(0, rows).reshape(sizes);
  const at::Tensor out = at::empty({rows, columns}, like.options().dtype(type));
  // A piece and some intermediate results of its size, in fp32, are to stay in a cache of 1 MiB.
  const int64_t step = std::max<int64_t>(1, 32768 / std::max(columns, like.size(-1)));
  for_each((rows + step - 1) / step, like, [&](int64_t i) {
    const int64_t first = i * step, count = std::min(step, rows - first);
    out.narrow(0, first, count).copy_(work(first, count));
  });
  return out.view(sizes);
}

}  // namespace plumb::healing
