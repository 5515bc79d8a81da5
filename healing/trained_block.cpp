#include "healing/trained_block.h"

#include <ATen/TensorOperators.h>

#include "healing/adapted_product.h"
#include "healing/layers_gradient.h"

namespace plumb::healing {
namespace {

using models::BlockForm;

/// The four matrices and two norms of a block.
struct Layers {
  AdaptedProduct query_key_value, attention_out, gate_up, down;
  NormWeights attention_norm, feed_forward_norm;
  AttentionWeights attention;

  Layers(const models::Block& b, const models::ModelConfig& c, const BlockAdapter& adapter,
         double scale, const Dropout& dropout)
      : query_key_value(b.query_key_value, b.query_key_value_bias,
                        {Target::kQuery, Target::kKey, Target::kValue, Target::kQueryKeyValue}, c,
                        adapter, scale, dropout),
        attention_out(b.attention_out, b.attention_out_bias, {Target::kAttentionOut}, c, adapter,
                      scale, dropout),
        gate_up(b.gate_up, b.gate_up_bias, {Target::kGate, Target::kUp}, c, adapter, scale,
                dropout),
        down(b.down, b.down_bias, {Target::kDown}, c, adapter, scale, dropout),
        attention_norm{c.options.norm, b.attention_norm, b.attention_norm_bias, c.norm_epsilon},
        feed_forward_norm{c.options.norm, b.feed_forward_norm, b.feed_forward_norm_bias,
                          c.norm_epsilon},
        attention{b.query_norm, b.key_norm} {
    if (c.options.shared_norm) feed_forward_norm = attention_norm;
  }
};

}  // namespace

at::Tensor TrainedBlock::forward(const at::Tensor& x, BlockStates* states) const {
  const Layers layers(block_, config_, adapter_, scale_, dropout_);
  const BlockForm form = config_.options.form;
  const bool after = form == BlockForm::kPostNorm;
  const at::ScalarType type = x.scalar_type(), products = block_.down.scalar_type();
  const NormWeights &norm_a = layers.attention_norm, &norm_f = layers.feed_forward_norm;
  BlockStates s;
  s.input = x;
  s.heads = layers.query_key_value.forward(after ? x : norm_for(products, x, norm_a), type);
  s.mixed = attention(s.heads, layers.attention, config_, positions_).to(type);
  at::Tensor added;
  if (after) {
    s.attended = layers.attention_out.forward(s.mixed, type);
    added = (x + norm(s.attended, norm_a)).to(type);
  } else {
    added = layers.attention_out.forward(s.mixed, type, x);
  }
  if (form != BlockForm::kParallel) s.middle = added;
  const at::Tensor& fed_by = form == BlockForm::kParallel ? x : added;
  s.inner = layers.gate_up.forward(after ? fed_by : norm_for(products, fed_by, norm_f), type);
  const at::Tensor active = activation(s.inner, config_, products);
  at::Tensor out;
  if (after) {
    s.fed = layers.down.forward(active, type);
    out = (added + norm(s.fed, norm_f)).to(type);
  } else {
    out = layers.down.forward(active, type, added);
  }
  if (states != nullptr) *states = s;
  return out;
}

at::Tensor TrainedBlock::backward(const BlockStates& s, const at::Tensor& gradient,
                                  BlockAdapter& gradients, bool of_input) const {
  const Layers layers(block_, config_, adapter_, scale_, dropout_);
  const BlockForm form = config_.options.form;
  const bool after = form == BlockForm::kPostNorm, parallel = form == BlockForm::kParallel;
  const at::ScalarType products = block_.down.scalar_type();
  const NormWeights &norm_a = layers.attention_norm, &norm_f = layers.feed_forward_norm;
  // What lies before the adapters of the feed-forward is needed for the input's gradient and for adapters of attention.
  const bool in_attention =
      layers.query_key_value.has_adapter() || layers.attention_out.has_adapter();

  const at::Tensor& fed_by = parallel ? s.input : s.middle;
  at::Tensor down = after ? norm_gradient(s.fed, norm_f, gradient) : gradient;
  down = layers.down.backward(activation(s.inner, config_, products), down, gradients);
  down = activation_gradient(s.inner, config_, down, products);
  const at::Tensor fed = after ? fed_by : norm_for(products, fed_by, norm_f);
  at::Tensor sum = gradient;  // with what came back through the feed-forward
  if (!of_input && (parallel || !in_attention)) {
    layers.gate_up.add_gradients(fed, down, gradients);
  } else {
    down = layers.gate_up.backward(fed, down, gradients);
    sum = after ? gradient + down : plus_norm_gradient(gradient, fed_by, norm_f, down);
  }
  if (!of_input && !in_attention) return {};
  // What reaches the sum of x and attention; where both stand side by side, the feed-forward's part goes to x alone.
  at::Tensor back = parallel ? gradient : sum;
  if (after) back = norm_gradient(s.attended, norm_a, back);
  back = layers.attention_out.backward(s.mixed, back, gradients);
  back = attention_gradient(s.heads, layers.attention, config_, positions_, back, products);
  const at::Tensor attended_to = after ? s.input : norm_for(products, s.input, norm_a);
  if (!of_input) {
    layers.query_key_value.add_gradients(attended_to, back, gradients);
    return {};
  }
  back = layers.query_key_value.backward(attended_to, back, gradients);
  return after ? sum + back : plus_norm_gradient(sum, s.input, norm_a, back);
}

}  // namespace plumb::healing
