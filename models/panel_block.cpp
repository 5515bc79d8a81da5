#include "models/panel_block.h"

namespace plumb::models {

const float* vector_values(const at::Tensor& vector) {
  return vector.defined() ? vector.const_data_ptr<float>() : nullptr;
}

kernels::BlockShape panel_shape(const ModelConfig& c, int64_t sequences, int64_t tokens) {
  return {sequences,
          tokens,
          c.width,
          c.head_count,
          c.kv_head_count,
          c.head_width,
          c.feed_forward_width,
          static_cast<float>(c.norm_epsilon),
          c.rotary_width,
          c.window,
          c.options};
}

kernels::BlockWeights panel_weights(const Block& b) {
  return {vector_values(b.attention_norm),      b.query_key_value.const_data_ptr(),
          b.attention_out.const_data_ptr(),     vector_values(b.feed_forward_norm),
          b.gate_up.const_data_ptr(),           b.down.const_data_ptr(),
          vector_values(b.attention_norm_bias), vector_values(b.query_key_value_bias),
          vector_values(b.query_norm),          vector_values(b.key_norm),
          vector_values(b.attention_out_bias),  vector_values(b.feed_forward_norm_bias),
          vector_values(b.gate_up_bias),        vector_values(b.down_bias)};
}

kernels::Rotation panel_rotation(const RopeTable::View& table) {
  return {table.cos.const_data_ptr<float>(), table.sin.const_data_ptr<float>(), table.cos.size(1)};
}

kernels::HeadShape panel_head_shape(int64_t rows, const ModelConfig& c) {
  return {rows, c.width, c.vocabulary_size, static_cast<float>(c.norm_epsilon), c.options.norm};
}

kernels::HeadWeights panel_head_weights(const Head& head) {
  return {vector_values(head.norm), head.unembedding.const_data_ptr(),
          vector_values(head.norm_bias), vector_values(head.unembedding_bias)};
}

}  // namespace plumb::models
