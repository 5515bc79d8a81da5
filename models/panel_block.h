#pragma once

#include <ATen/core/Tensor.h>

#include "models/block.h"
#include "models/config.h"
#include "models/decoder.h"
#include "models/kernels/panels.h"
#include "models/layers/rope_table.h"

namespace plumb::models {

/// What the panel kernels take, of the decoder's own types. The tensors must outlive what points into them.
const float* vector_values(const at::Tensor& vector);  ///< null for one that is not there
kernels::BlockShape panel_shape(const ModelConfig& config, int64_t sequences, int64_t tokens);
kernels::BlockWeights panel_weights(const Block& block);
kernels::Rotation panel_rotation(const RopeTable::View& table);
kernels::HeadShape panel_head_shape(int64_t rows, const ModelConfig& config);
kernels::HeadWeights panel_head_weights(const Head& head);

}  // namespace plumb::models
