#pragma once

#include "models/kernels/panels.h"

namespace plumb::models::kernels {

/// The definition that every set of panel kernels is held to: plain loops in double, nothing
/// rounded but the result. Same parameters; Element is float, or uint16_t for bf16.
template <typename Element>
void block_reference(const BlockShape& shape, const BlockWeights& weights, const Rotation& rotation,
                     const void* in, void* out);
template <typename Element>
void logits_reference(const HeadShape& shape, const HeadWeights& weights, const void* x,
                      float* out);
template <typename Element>
void cross_entropy_reference(const HeadShape& shape, const HeadWeights& weights, const void* x,
                             const int64_t* targets, float* loss);
template <typename Element>
void distributions_reference(const HeadShape& shape, const HeadWeights& weights,
                             std::span<const HeadReading> models, const int64_t* targets);

}  // namespace plumb::models::kernels
