#include "healing/gradient_sum.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include "base/error.h"

namespace plumb::healing {

void GradientSum::add(const std::vector<at::Tensor>& gradients) {
  if (alone()) {
    if (sums_.empty())
      sums_ = gradients;
    else
      for (size_t i = 0; i < sums_.size(); ++i) sums_[i].add_(gradients[i]);
    return;
  }
  sums_ = gradients;
  std::vector<at::Tensor> flat;
  int64_t elements = 0;
  for (const at::Tensor& gradient : gradients) {
    flat.push_back(gradient.reshape({-1}));
    elements += gradient.numel();
  }
  const int64_t count = group_->count();
  if (const int64_t rest = elements % count; rest != 0)
    flat.push_back(at::zeros({count - rest}, gradients.front().options()));
  const at::Tensor parts = group_->exchange(at::cat(flat).view({count, -1}));
  for (int64_t rank = 0; rank < count; ++rank) {
    if (!part_.defined())
      part_ = parts[rank].clone();
    else
      part_.add_(parts[rank]);
  }
}

std::vector<at::Tensor> GradientSum::total() {
  if (sums_.empty()) throw Error(ErrorKind::kInvariant, "the sum of no gradients");
  if (alone()) return std::move(sums_);
  const at::Tensor all = group_->gather(part_).view({-1});
  std::vector<at::Tensor> out;
  int64_t at = 0;
  for (const at::Tensor& shape : sums_) {
    // Memory of its own: where it begins is as in one process.
    out.push_back(all.narrow(0, at, shape.numel()).view(shape.sizes()).clone());
    at += shape.numel();
  }
  return out;
}

}  // namespace plumb::healing
