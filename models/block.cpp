#include "models/block.h"

#include <c10/core/ScalarType.h>

#include "base/error.h"
#include "models/architecture.h"

namespace plumb::models {

uint64_t Block::size_bytes() const {
  uint64_t sum = 0;
  for (const at::Tensor* t :
       {&attention_norm, &attention_norm_bias, &query_key_value, &query_key_value_bias, &query_norm,
        &key_norm, &attention_out, &attention_out_bias, &feed_forward_norm, &feed_forward_norm_bias,
        &gate_up, &gate_up_bias, &down, &down_bias})
    if (t->defined()) sum += t->nbytes();
  return sum;
}

void require_tensor(const char* name, at::Tensor& tensor, at::IntArrayRef shape,
                    at::ScalarType type) {
  if (!tensor.defined() || tensor.sizes() != shape || tensor.scalar_type() != type)
    throw Error(ErrorKind::kInvariant,
                text("decoder tensor '", name, "' is ",
                     tensor.defined() ? text(tensor.sizes(), " ", tensor.scalar_type()) : "missing",
                     ", needs ", shape, " ", type));
  tensor = tensor.contiguous();
}

void require_vector(const char* name, at::Tensor& tensor, bool has, int64_t size) {
  if (has) {
    require_tensor(name, tensor, {size}, at::kFloat);
  } else if (tensor.defined()) {
    throw Error(ErrorKind::kInvariant,
                text("decoder tensor '", name, "' is there, but the config has none"));
  }
}

void require_block(Block& block, const ModelConfig& c, at::ScalarType type) {
  const DecoderOptions& o = c.options;
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  const int64_t D = c.width, F = c.feed_forward_width, inner = o.gated ? 2 * F : F;
  const bool layer = o.norm == Norm::kLayer, heads = o.query_key_norm != QueryKeyNorm::kNone;
  const bool whole = o.query_key_norm == QueryKeyNorm::kWhole;
  require_vector("attention_norm", block.attention_norm, true, D);
  require_vector("attention_norm_bias", block.attention_norm_bias, layer, D);
  require_tensor("query_key_value", block.query_key_value, {query + 2 * key, D}, type);
  require_vector("query_key_value_bias", block.query_key_value_bias, o.query_key_value_bias,
                 query + 2 * key);
  require_vector("query_norm", block.query_norm, heads, whole ? query : c.head_width);
  require_vector("key_norm", block.key_norm, heads, whole ? key : c.head_width);
  require_tensor("attention_out", block.attention_out, {D, query}, type);
  require_vector("attention_out_bias", block.attention_out_bias, o.attention_out_bias, D);
  require_vector("feed_forward_norm", block.feed_forward_norm, !o.shared_norm, D);
  require_vector("feed_forward_norm_bias", block.feed_forward_norm_bias, layer && !o.shared_norm,
                 D);
  require_tensor("gate_up", block.gate_up, {inner, D}, type);
  require_vector("gate_up_bias", block.gate_up_bias, o.feed_forward_bias, inner);
  require_tensor("down", block.down, {D, F}, type);
  require_vector("down_bias", block.down_bias, o.feed_forward_bias, D);
}

uint64_t block_bytes_of(const ModelConfig& config, at::ScalarType type) {
  uint64_t matrices = 0, vectors = 0;
  for (int i = 0; i <= static_cast<int>(Role::kDownBias); ++i) {
    const auto role = static_cast<Role>(i);
    if (!per_block(role) || !has_role(role, config)) continue;
    if (role == Role::kQueryKeyValue || role == Role::kQueryKeyValueBias) continue;  // the three
    const std::vector<int64_t> shape = shape_of(role, config);
    uint64_t values = 1;
    for (const int64_t size : shape) values *= static_cast<uint64_t>(size);
    (shape.size() > 1 ? matrices : vectors) += values;
  }
  return matrices * c10::elementSize(type) + vectors * sizeof(float);
}

}  // namespace plumb::models
