#include "healing/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "base/error.h"
#include "healing/device_kernels.h"

namespace plumb::healing {

AdamW::AdamW(std::vector<at::Tensor> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  for (const at::Tensor& parameter : parameters_) {
    first_.push_back(at::zeros_like(parameter));
    second_.push_back(at::zeros_like(parameter));
  }
}

void AdamW::step(const std::vector<at::Tensor>& gradients, double learning_rate) {
  if (gradients.size() != parameters_.size())
    throw Error(ErrorKind::kInvariant,
                text(gradients.size(), " gradients for ", parameters_.size(), " parameters"));
  ++steps_;
  const double steps = static_cast<double>(steps_);
  const double first_left = 1 - std::pow(options_.beta1, steps);
  const double second_left = 1 - std::pow(options_.beta2, steps);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& parameter = parameters_[i];
    if (!parameter.sizes().equals(gradients[i].sizes()))
      throw Error(ErrorKind::kInvariant,
                  text("gradient ", i, " has not the shape of its parameter"));
    if (adamw_on_device(parameter, gradients[i], first_[i], second_[i], options_, learning_rate,
                        steps_))
      continue;
    if (options_.weight_decay > 0) parameter.mul_(1 - learning_rate * options_.weight_decay);
    first_[i].mul_(options_.beta1).add_(gradients[i], 1 - options_.beta1);
    second_[i].mul_(options_.beta2).addcmul_(gradients[i], gradients[i], 1 - options_.beta2);
    const at::Tensor size = second_[i].sqrt().div_(std::sqrt(second_left)).add_(options_.epsilon);
    parameter.addcdiv_(first_[i], size, -learning_rate / first_left);
  }
}

void AdamW::restore(int64_t steps, const std::vector<at::Tensor>& first,
                    const std::vector<at::Tensor>& second) {
  if (first.size() != first_.size() || second.size() != second_.size())
    throw Error(ErrorKind::kInvariant, text(first.size(), " and ", second.size(), " moments for ",
                                            first_.size(), " parameters"));
  steps_ = steps;
  for (size_t i = 0; i < first.size(); ++i) {
    first_[i].copy_(first[i]);
    second_[i].copy_(second[i]);
  }
}

double clip_norm(std::vector<at::Tensor>& gradients, double largest) {
  double squares = 0;
  std::vector<at::Tensor> norms;
  for (const at::Tensor& gradient : gradients) norms.push_back(gradient.norm());
  // One wait for all where they are on a device.
  const at::Tensor all = norms.empty() ? at::Tensor() : at::stack(norms).to(at::kCPU, at::kDouble);
  for (size_t i = 0; i < norms.size(); ++i) {
    const double norm = all.const_data_ptr<double>()[i];
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  const double factor = largest / (norm + 1e-6);
  if (factor < 1)
    for (at::Tensor& gradient : gradients) gradient.mul_(factor);
  return norm;
}

}  // namespace plumb::healing
