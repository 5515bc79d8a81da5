#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "healing/adamw.h"
#include "healing/layers_gradient.h"

/// Parts of healing that a device's plug-in has kernels for (models/device.h). Each says whether it was done: not where the tensors are the
/// CPU's or fp64, the device has no such kernel, or autograd records; ATen's operations then do it.
/// Error{kResource} with the device's own words where a kernel refuses.
namespace plumb::healing {

/// norm and norm_gradient of layers_gradient.h, over rows [N, D].
std::optional<at::Tensor> norm_on_device(const at::Tensor& rows, const NormWeights& weights);
std::optional<at::Tensor> norm_gradient_on_device(const at::Tensor& rows,
                                                  const NormWeights& weights,
                                                  const at::Tensor& gradient);

/// Queries or keys as a product makes them, [B, T, heads * width], to what attention takes: norm of each head where `gain` is defined, then
/// rotation. The result is fp32, without gaps.
struct HeadsOnDevice {
  const at::Tensor& gain;  ///< may be undefined
  double epsilon;
  const models::AtenPositions& positions;
  int64_t width;  ///< of a head
};
std::optional<at::Tensor> rotated_on_device(const at::Tensor& columns, const HeadsOnDevice& heads);
/// d loss / d columns, given d loss / d result.
std::optional<at::Tensor> rotated_gradient_on_device(const at::Tensor& columns,
                                                     const HeadsOnDevice& heads,
                                                     const at::Tensor& gradient);

/// Logits [N, V] fp32 become d (sum of losses) / d logits, in place; losses [N] fp32.
bool cross_entropy_on_device(const at::Tensor& logits, const at::Tensor& targets,
                             const at::Tensor& losses);

/// y [N, out] += scale * (x A^T) B^T, x [N, in]; rows of y may lie in a wider matrix.
bool lora_product_on_device(const at::Tensor& x, const at::Tensor& a, const at::Tensor& b,
                            double scale, const at::Tensor& y);

/// Step `steps` (from 1 on) of one parameter with its moments.
bool adamw_on_device(const at::Tensor& parameter, const at::Tensor& gradient,
                     const at::Tensor& first, const at::Tensor& second, const AdamWOptions& options,
                     double learning_rate, int64_t steps);

}  // namespace plumb::healing
