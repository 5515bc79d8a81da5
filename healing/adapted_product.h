#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <vector>

#include "healing/adapter.h"
#include "healing/trained_block.h"
#include "models/kernels/training_rows.h"

namespace plumb::healing {

/// One of a block's matrices with the adapters of the products that it holds. Operands of the matrix are cast to its dtype, and so is
/// what adapters see where fused kernels do their part; all else is wide (healing/layers_gradient.h).
class AdaptedProduct {
 public:
  /// `targets`: the products in the matrix. All tensors must outlive it.
  AdaptedProduct(const at::Tensor& weight, const at::Tensor& bias,
                 std::initializer_list<Target> targets, const models::ModelConfig& config,
                 const BlockAdapter& adapter, double scale, const Dropout& dropout);

  bool has_adapter() const { return !groups_.empty(); }
  /// x [.., in] -> [.., out], `plus` added where it is given, rounded once to `type`.
  at::Tensor forward(const at::Tensor& x, at::ScalarType type, const at::Tensor& plus = {}) const;
  /// d loss / d output -> d loss / d x, wide, or as fused kernels leave it in the matrix' dtype; adds to the adapters' gradients.
  at::Tensor backward(const at::Tensor& x, const at::Tensor& gradient,
                      BlockAdapter& gradients) const;
  /// The adapters' gradients alone, where nobody asks for that of x.
  void add_gradients(const at::Tensor& x, const at::Tensor& gradient,
                     BlockAdapter& gradients) const;

 private:
  struct Part {
    Target target;
    TargetRows rows;
    const LoraPair* pair;
  };
  /// Parts that see the same input: all of them or, where each drops its own, one. Their A are one matrix.
  struct Group {
    std::vector<Part> parts;
    at::Tensor a;  ///< [sum of ranks, in]
  };
  /// What a group's adapters see of x [N, in]: wide, and scaled or zero where there is dropout.
  at::Tensor dropped(const at::Tensor& x, const Group& group) const;
  at::Tensor wide_forward(const at::Tensor& x) const;
  void walk_back(const at::Tensor& x, const at::Tensor& gradient, BlockAdapter& gradients,
                 at::Tensor* dx) const;

  /// Null where ATen's operations do the adapters' part: with dropout, and where there are no fused kernels.
  const models::kernels::TrainingRows* fused(const at::Tensor& x, at::ScalarType states) const;
  /// What the group's A makes of rows x [N, in]: [N, ranks]
  at::Tensor low(const models::kernels::TrainingRows& rows, const at::Tensor& x,
                 const Group& group) const;
  at::Tensor fused_forward(const models::kernels::TrainingRows& rows, const at::Tensor& x,
                           at::ScalarType type, const at::Tensor& plus) const;
  void fused_back(const models::kernels::TrainingRows& rows, const at::Tensor& x,
                  const at::Tensor& gradient, BlockAdapter& gradients, at::Tensor* dx) const;

  const at::Tensor& weight_;
  const at::Tensor& bias_;
  std::vector<Group> groups_;
  double scale_;
  Dropout dropout_;
};

}  // namespace plumb::healing
