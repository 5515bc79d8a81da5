#include "healing/device_kernels.h"

#include <ATen/ops/empty.h>

#include "base/error.h"
#include "models/compute_device.h"
#include "models/kernels/adamw_step.h"

namespace plumb::healing {
namespace {

using models::Element;
using models::KernelTable;

/// The table of the device that these tensors are on, if there is one and they are fp32 or bf16.
const KernelTable* table_of(std::initializer_list<at::Tensor> tensors) {
  const at::Device device = tensors.begin()->device();
  if (device.is_cpu()) return nullptr;
  for (const at::Tensor& tensor : tensors) {
    const at::ScalarType type = tensor.scalar_type();
    if (tensor.device() != device || tensor.requires_grad() ||
        (type != at::kFloat && type != at::kBFloat16))
      return nullptr;
  }
  return models::kernels_of(device);
}

Element element_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat ? Element::kFp32 : Element::kBf16;
}

bool is_plain(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

void require_done(const KernelTable& table, const char* why) {
  if (why != nullptr)
    throw Error(ErrorKind::kResource, text("device '", table.device_name, "': ", why));
}

}  // namespace

std::optional<at::Tensor> norm_on_device(const at::Tensor& rows, const NormWeights& weights) {
  const KernelTable* table = table_of({rows, weights.gain});
  if (table == nullptr || table->rms_norm == nullptr || weights.norm != models::Norm::kRms ||
      !is_plain(weights.gain))
    return std::nullopt;
  const at::Tensor x = rows.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options().dtype(at::kFloat));
  const models::RmsNorm norm{.x = x.const_data_ptr(),
                             .x_type = element_of(x),
                             .gain = weights.gain.const_data_ptr<float>(),
                             .y = y.mutable_data_ptr(),
                             .rows = x.size(0),
                             .width = x.size(1),
                             .epsilon = static_cast<float>(weights.epsilon)};
  require_done(*table, table->rms_norm(&norm, models::native_stream(x.device())));
  return y;
}

std::optional<at::Tensor> norm_gradient_on_device(const at::Tensor& rows,
                                                  const NormWeights& weights,
                                                  const at::Tensor& gradient) {
  const KernelTable* table = table_of({rows, weights.gain, gradient});
  if (table == nullptr || table->rms_norm_gradient == nullptr ||
      weights.norm != models::Norm::kRms || !is_plain(weights.gain) ||
      gradient.scalar_type() != at::kFloat)
    return std::nullopt;
  const at::Tensor x = rows.contiguous(), g = gradient.contiguous();
  at::Tensor dx = at::empty(x.sizes(), g.options());
  const models::RmsNormGradient norm{.x = x.const_data_ptr(),
                                     .x_type = element_of(x),
                                     .gain = weights.gain.const_data_ptr<float>(),
                                     .gradient = g.const_data_ptr<float>(),
                                     .dx = dx.mutable_data_ptr<float>(),
                                     .rows = x.size(0),
                                     .width = x.size(1),
                                     .epsilon = static_cast<float>(weights.epsilon)};
  require_done(*table, table->rms_norm_gradient(&norm, models::native_stream(x.device())));
  return dx;
}

namespace {

/// Whether rows [B, T] of `tensor` follow each other at one distance.
bool has_one_stride(const at::Tensor& tensor) {
  return tensor.stride(2) == 1 && tensor.stride(0) == tensor.size(1) * tensor.stride(1);
}

/// What both directions have in common; angles are kept by the caller while it is used.
models::HeadRotation rotation_of(const at::Tensor& columns, const HeadsOnDevice& heads,
                                 const at::Tensor& cosine, const at::Tensor& sine) {
  models::HeadRotation r;
  r.x = columns.const_data_ptr();
  r.x_type = element_of(columns);
  r.x_stride = columns.stride(1);
  r.gain = heads.gain.defined() ? heads.gain.const_data_ptr<float>() : nullptr;
  r.cosine = cosine.const_data_ptr<float>();
  r.sine = sine.const_data_ptr<float>();
  r.rows = columns.size(0) * columns.size(1);
  r.tokens = columns.size(1);
  r.heads = columns.size(2) / heads.width;
  r.width = heads.width;
  r.half = cosine.size(1);
  r.epsilon = static_cast<float>(heads.epsilon);
  return r;
}

const KernelTable* rotating_table(const at::Tensor& columns, const HeadsOnDevice& heads) {
  const KernelTable* table = table_of({columns, heads.positions.cosine, heads.positions.sine});
  const bool plain = !heads.gain.defined() || is_plain(heads.gain);
  return table != nullptr && table->rotate_heads != nullptr &&
                 table->rotate_heads_gradient != nullptr && plain && has_one_stride(columns)
             ? table
             : nullptr;
}

}  // namespace

std::optional<at::Tensor> rotated_on_device(const at::Tensor& columns, const HeadsOnDevice& heads) {
  const KernelTable* table = rotating_table(columns, heads);
  if (table == nullptr) return std::nullopt;
  const at::Tensor cosine = heads.positions.cosine.contiguous(),
                   sine = heads.positions.sine.contiguous();
  at::Tensor y = at::empty(columns.sizes(), columns.options().dtype(at::kFloat));
  models::HeadRotation r = rotation_of(columns, heads, cosine, sine);
  r.y = y.mutable_data_ptr<float>();
  r.y_stride = y.size(2);
  require_done(*table, table->rotate_heads(&r, models::native_stream(columns.device())));
  return y;
}

std::optional<at::Tensor> rotated_gradient_on_device(const at::Tensor& columns,
                                                     const HeadsOnDevice& heads,
                                                     const at::Tensor& gradient) {
  const KernelTable* table = rotating_table(columns, heads);
  if (table == nullptr || gradient.scalar_type() != at::kFloat) return std::nullopt;
  const at::Tensor cosine = heads.positions.cosine.contiguous(),
                   sine = heads.positions.sine.contiguous(), g = gradient.contiguous();
  at::Tensor dx = at::empty(columns.sizes(), g.options());
  models::HeadRotation r = rotation_of(columns, heads, cosine, sine);
  r.y = g.mutable_data_ptr<float>();
  r.y_stride = g.size(2);
  r.dx = dx.mutable_data_ptr<float>();
  r.dx_stride = dx.size(2);
  require_done(*table, table->rotate_heads_gradient(&r, models::native_stream(columns.device())));
  return dx;
}

bool cross_entropy_on_device(const at::Tensor& logits, const at::Tensor& targets,
                             const at::Tensor& losses) {
  const KernelTable* table = table_of({logits, losses});
  if (table == nullptr || table->cross_entropy == nullptr || !is_plain(logits) ||
      !is_plain(losses) || targets.device() != logits.device())
    return false;
  const at::Tensor wanted = targets.contiguous();
  const models::CrossEntropy loss{.logits = logits.mutable_data_ptr(),
                                  .targets = wanted.const_data_ptr<int64_t>(),
                                  .losses = losses.mutable_data_ptr<float>(),
                                  .rows = logits.size(0),
                                  .vocabulary = logits.size(1),
                                  .scale = 1,
                                  .gradient = true};
  require_done(*table, table->cross_entropy(&loss, models::native_stream(logits.device())));
  return true;
}

bool lora_product_on_device(const at::Tensor& x, const at::Tensor& a, const at::Tensor& b,
                            double scale, const at::Tensor& y) {
  const KernelTable* table = table_of({x, a, b, y});
  if (table == nullptr || table->lora_product == nullptr || !is_plain(a) || !is_plain(b) ||
      a.size(0) > 256 || y.scalar_type() != at::kFloat || y.stride(1) != 1)
    return false;
  const at::Tensor rows = x.contiguous();
  at::Tensor low = at::empty({rows.size(0), a.size(0)}, a.options());
  const models::LoraProduct product{.x = rows.const_data_ptr(),
                                    .x_type = element_of(rows),
                                    .a = a.const_data_ptr<float>(),
                                    .b = b.const_data_ptr<float>(),
                                    .low = low.mutable_data_ptr<float>(),
                                    .y = y.mutable_data_ptr<float>(),
                                    .rows = rows.size(0),
                                    .in = rows.size(1),
                                    .rank = a.size(0),
                                    .out = y.size(1),
                                    .y_stride = y.stride(0),
                                    .scale = static_cast<float>(scale)};
  require_done(*table, table->lora_product(&product, models::native_stream(x.device())));
  return true;
}

bool adamw_on_device(const at::Tensor& parameter, const at::Tensor& gradient,
                     const at::Tensor& first, const at::Tensor& second, const AdamWOptions& options,
                     double learning_rate, int64_t steps) {
  const KernelTable* table = table_of({parameter, gradient, first, second});
  if (table == nullptr || table->adamw_step == nullptr || !is_plain(parameter) ||
      !is_plain(gradient) || !is_plain(first) || !is_plain(second))
    return false;
  models::AdamWStep step =
      models::adamw_factors(learning_rate, options.beta1, options.beta2, options.epsilon,
                            options.weight_decay, steps, /*clip=*/1);
  step.parameters = parameter.mutable_data_ptr<float>();
  step.first = first.mutable_data_ptr<float>();
  step.second = second.mutable_data_ptr<float>();
  step.gradients = gradient.const_data_ptr<float>();
  step.count = parameter.numel();
  if (models::refusal(step) != nullptr) return false;  // views that begin anywhere
  require_done(*table, table->adamw_step(&step, models::native_stream(parameter.device())));
  return true;
}

}  // namespace plumb::healing
