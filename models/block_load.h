#pragma once

#include <ATen/core/Tensor.h>

#include "models/block.h"
#include "models/formats/checkpoint.h"

namespace plumb::models {

/// Block `index` of a checkpoint, its tensors joined into the matrices of Block. The matrices of `reused` become those of
/// the result, in place, where they fit and nobody else refers to them: a stream of blocks then needs no new pages.
/// Matrices are read straight to where they stay. Errors as Checkpoint::load.
Block load_block(const Checkpoint& checkpoint, int64_t index, at::ScalarType type,
                 Block reused = {});

/// A norm's gain; some families store what is added to 1, which GGUF's writer has added.
at::Tensor load_gain(const Checkpoint& checkpoint, Role role, int64_t block);

/// A vector, or none where a decoder of this config has none.
at::Tensor load_vector(const Checkpoint& checkpoint, Role role, int64_t block = -1);

}  // namespace plumb::models
