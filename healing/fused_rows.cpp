#include "healing/fused_rows.h"

#include "healing/row_pieces.h"

namespace plumb::healing {

const models::kernels::TrainingRows* fused_rows(const at::Tensor& like, at::ScalarType states,
                                                at::ScalarType products) {
  if (!may_cut(like)) return nullptr;
  const models::kernels::TrainingKernels& kernels = models::kernels::training_kernels();
  if (states == at::kBFloat16 && products == at::kBFloat16) return &kernels.bf16;
  if (states == at::kBFloat16 && products == at::kFloat) return &kernels.bf16_fp32;
  if (states == at::kFloat && products == at::kFloat) return &kernels.fp32;
  return nullptr;
}

models::kernels::NormOfRows norm_of_rows(const NormWeights& weights) {
  return {weights.norm, weights.gain.const_data_ptr<float>(),
          weights.bias.defined() ? weights.bias.const_data_ptr<float>() : nullptr,
          static_cast<float>(weights.epsilon)};
}

}  // namespace plumb::healing
