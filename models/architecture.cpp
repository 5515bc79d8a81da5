#include "models/architecture.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "models/formats/bounds.h"

namespace plumb::models {
namespace {

// The names that transformers took over from Llama, and what llama.cpp calls them. A family without one of the
// tensors has it switched off in its options.
constexpr std::array<TensorName, 21> kLlamaTensors{{
    {Role::kEmbedding, "model.embed_tokens.weight", "token_embd.weight"},
    {Role::kFinalNorm, "model.norm.weight", "output_norm.weight"},
    {Role::kUnembedding, "lm_head.weight", "output.weight"},
    {Role::kAttentionNorm, "model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight"},
    {Role::kQuery, "model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight"},
    {Role::kQueryBias, "model.layers.{}.self_attn.q_proj.bias", "blk.{}.attn_q.bias"},
    {Role::kKey, "model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight"},
    {Role::kKeyBias, "model.layers.{}.self_attn.k_proj.bias", "blk.{}.attn_k.bias"},
    {Role::kValue, "model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight"},
    {Role::kValueBias, "model.layers.{}.self_attn.v_proj.bias", "blk.{}.attn_v.bias"},
    {Role::kQueryNorm, "model.layers.{}.self_attn.q_norm.weight", "blk.{}.attn_q_norm.weight"},
    {Role::kKeyNorm, "model.layers.{}.self_attn.k_norm.weight", "blk.{}.attn_k_norm.weight"},
    {Role::kAttentionOut, "model.layers.{}.self_attn.o_proj.weight", "blk.{}.attn_output.weight"},
    {Role::kAttentionOutBias, "model.layers.{}.self_attn.o_proj.bias", "blk.{}.attn_output.bias"},
    {Role::kFeedForwardNorm, "model.layers.{}.post_attention_layernorm.weight",
     "blk.{}.ffn_norm.weight"},
    {Role::kGate, "model.layers.{}.mlp.gate_proj.weight", "blk.{}.ffn_gate.weight"},
    {Role::kGateBias, "model.layers.{}.mlp.gate_proj.bias", "blk.{}.ffn_gate.bias"},
    {Role::kUp, "model.layers.{}.mlp.up_proj.weight", "blk.{}.ffn_up.weight"},
    {Role::kUpBias, "model.layers.{}.mlp.up_proj.bias", "blk.{}.ffn_up.bias"},
    {Role::kDown, "model.layers.{}.mlp.down_proj.weight", "blk.{}.ffn_down.weight"},
    {Role::kDownBias, "model.layers.{}.mlp.down_proj.bias", "blk.{}.ffn_down.bias"},
}};

// The norms stand after attention and feed-forward.
constexpr std::array<TensorName, 14> kOlmo2Tensors{{
    {Role::kEmbedding, "model.embed_tokens.weight", ""},
    {Role::kFinalNorm, "model.norm.weight", ""},
    {Role::kUnembedding, "lm_head.weight", ""},
    {Role::kQuery, "model.layers.{}.self_attn.q_proj.weight", ""},
    {Role::kKey, "model.layers.{}.self_attn.k_proj.weight", ""},
    {Role::kValue, "model.layers.{}.self_attn.v_proj.weight", ""},
    {Role::kQueryNorm, "model.layers.{}.self_attn.q_norm.weight", ""},
    {Role::kKeyNorm, "model.layers.{}.self_attn.k_norm.weight", ""},
    {Role::kAttentionOut, "model.layers.{}.self_attn.o_proj.weight", ""},
    {Role::kAttentionNorm, "model.layers.{}.post_attention_layernorm.weight", ""},
    {Role::kGate, "model.layers.{}.mlp.gate_proj.weight", ""},
    {Role::kUp, "model.layers.{}.mlp.up_proj.weight", ""},
    {Role::kDown, "model.layers.{}.mlp.down_proj.weight", ""},
    {Role::kFeedForwardNorm, "model.layers.{}.post_feedforward_layernorm.weight", ""},
}};

// llama.cpp's older files fuse what transformers and its newer ones have apart.
constexpr std::array<TensorName, 21> kPhiTensors{{
    {Role::kEmbedding, "model.embed_tokens.weight", "token_embd.weight"},
    {Role::kFinalNorm, "model.final_layernorm.weight", "output_norm.weight"},
    {Role::kFinalNormBias, "model.final_layernorm.bias", "output_norm.bias"},
    {Role::kUnembedding, "lm_head.weight", "output.weight"},
    {Role::kUnembeddingBias, "lm_head.bias", "output.bias"},
    {Role::kAttentionNorm, "model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight"},
    {Role::kAttentionNormBias, "model.layers.{}.input_layernorm.bias", "blk.{}.attn_norm.bias"},
    {Role::kQuery, "model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight"},
    {Role::kQueryBias, "model.layers.{}.self_attn.q_proj.bias", "blk.{}.attn_q.bias"},
    {Role::kKey, "model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight"},
    {Role::kKeyBias, "model.layers.{}.self_attn.k_proj.bias", "blk.{}.attn_k.bias"},
    {Role::kValue, "model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight"},
    {Role::kValueBias, "model.layers.{}.self_attn.v_proj.bias", "blk.{}.attn_v.bias"},
    {Role::kQueryKeyValue, "", "blk.{}.attn_qkv.weight"},
    {Role::kQueryKeyValueBias, "", "blk.{}.attn_qkv.bias"},
    {Role::kAttentionOut, "model.layers.{}.self_attn.dense.weight", "blk.{}.attn_output.weight"},
    {Role::kAttentionOutBias, "model.layers.{}.self_attn.dense.bias", "blk.{}.attn_output.bias"},
    {Role::kUp, "model.layers.{}.mlp.fc1.weight", "blk.{}.ffn_up.weight"},
    {Role::kUpBias, "model.layers.{}.mlp.fc1.bias", "blk.{}.ffn_up.bias"},
    {Role::kDown, "model.layers.{}.mlp.fc2.weight", "blk.{}.ffn_down.weight"},
    {Role::kDownBias, "model.layers.{}.mlp.fc2.bias", "blk.{}.ffn_down.bias"},
}};

constexpr std::array<TensorName, 16> kGptNeoxTensors{{
    {Role::kEmbedding, "gpt_neox.embed_in.weight", ""},
    {Role::kFinalNorm, "gpt_neox.final_layer_norm.weight", ""},
    {Role::kFinalNormBias, "gpt_neox.final_layer_norm.bias", ""},
    {Role::kUnembedding, "embed_out.weight", ""},
    {Role::kAttentionNorm, "gpt_neox.layers.{}.input_layernorm.weight", ""},
    {Role::kAttentionNormBias, "gpt_neox.layers.{}.input_layernorm.bias", ""},
    {Role::kQueryKeyValue, "gpt_neox.layers.{}.attention.query_key_value.weight", ""},
    {Role::kQueryKeyValueBias, "gpt_neox.layers.{}.attention.query_key_value.bias", ""},
    {Role::kAttentionOut, "gpt_neox.layers.{}.attention.dense.weight", ""},
    {Role::kAttentionOutBias, "gpt_neox.layers.{}.attention.dense.bias", ""},
    {Role::kFeedForwardNorm, "gpt_neox.layers.{}.post_attention_layernorm.weight", ""},
    {Role::kFeedForwardNormBias, "gpt_neox.layers.{}.post_attention_layernorm.bias", ""},
    {Role::kUp, "gpt_neox.layers.{}.mlp.dense_h_to_4h.weight", ""},
    {Role::kUpBias, "gpt_neox.layers.{}.mlp.dense_h_to_4h.bias", ""},
    {Role::kDown, "gpt_neox.layers.{}.mlp.dense_4h_to_h.weight", ""},
    {Role::kDownBias, "gpt_neox.layers.{}.mlp.dense_4h_to_h.bias", ""},
}};

// w2 is what SiLU is taken of (modeling_qwen.py of Qwen/Qwen-7B: w1(x) * silu(w2(x))).
constexpr std::array<TensorName, 11> kQwenTensors{{
    {Role::kEmbedding, "transformer.wte.weight", ""},
    {Role::kFinalNorm, "transformer.ln_f.weight", ""},
    {Role::kUnembedding, "lm_head.weight", ""},
    {Role::kAttentionNorm, "transformer.h.{}.ln_1.weight", ""},
    {Role::kQueryKeyValue, "transformer.h.{}.attn.c_attn.weight", ""},
    {Role::kQueryKeyValueBias, "transformer.h.{}.attn.c_attn.bias", ""},
    {Role::kAttentionOut, "transformer.h.{}.attn.c_proj.weight", ""},
    {Role::kFeedForwardNorm, "transformer.h.{}.ln_2.weight", ""},
    {Role::kGate, "transformer.h.{}.mlp.w2.weight", ""},
    {Role::kUp, "transformer.h.{}.mlp.w1.weight", ""},
    {Role::kDown, "transformer.h.{}.mlp.c_proj.weight", ""},
}};

constexpr DecoderOptions kBiasedInputs{.query_key_value_bias = true};
constexpr DecoderOptions kNormedHeads{.query_key_norm = QueryKeyNorm::kHead};
constexpr DecoderOptions kGemma{
    .activation = Activation::kGeluTanh, .scaled_embedding = true, .gain_minus_one = true};
constexpr DecoderOptions kOlmo2{.form = BlockForm::kPostNorm,
                                .query_key_norm = QueryKeyNorm::kWhole};
constexpr DecoderOptions kPhi{.norm = Norm::kLayer,
                              .form = BlockForm::kParallel,
                              .shared_norm = true,
                              .activation = Activation::kGeluTanh,
                              .gated = false,
                              .query_key_value_bias = true,
                              .attention_out_bias = true,
                              .feed_forward_bias = true,
                              .unembedding_bias = true};
constexpr DecoderOptions kGptNeox{.norm = Norm::kLayer,
                                  .form = BlockForm::kParallel,
                                  .activation = Activation::kGelu,
                                  .gated = false,
                                  .query_key_value_bias = true,
                                  .attention_out_bias = true,
                                  .feed_forward_bias = true};

// GGUF files of Mistral 7B call themselves llama, whose names and order of rows they have.
constexpr std::array<Architecture, 9> kArchitectures{{
    {"llama", "llama", "LlamaForCausalLM", "llama", kLlamaTensors, {}, true},
    {"mistral", "", "MistralForCausalLM", "mistral", kLlamaTensors},
    {"qwen", "", "QWenLMHeadModel", "qwen", kQwenTensors, kBiasedInputs, false, FusedOrder::kByKind,
     true},
    {"qwen2", "qwen2", "Qwen2ForCausalLM", "qwen2", kLlamaTensors, kBiasedInputs},
    {"qwen3", "qwen3", "Qwen3ForCausalLM", "qwen3", kLlamaTensors, kNormedHeads},
    {"phi", "phi2", "PhiForCausalLM", "phi", kPhiTensors, kPhi, false, FusedOrder::kByKind, true},
    {"gemma", "gemma", "GemmaForCausalLM", "gemma", kLlamaTensors, kGemma},
    {"gpt_neox", "", "GPTNeoXForCausalLM", "gpt_neox", kGptNeoxTensors, kGptNeox, false,
     FusedOrder::kByHead},
    {"olmo2", "", "Olmo2ForCausalLM", "olmo2", kOlmo2Tensors, kOlmo2},
}};

const Architecture* find(std::string_view wanted, std::string_view Architecture::*key) {
  const auto found = std::ranges::find(kArchitectures, wanted, key);
  return wanted.empty() || found == kArchitectures.end() ? nullptr : &*found;
}

const Architecture& known(std::string_view wanted, std::string_view Architecture::*key) {
  if (const Architecture* found = find(wanted, key)) return *found;
  std::string names;
  for (const Architecture& a : kArchitectures)
    if (!(a.*key).empty()) names += (names.empty() ? "" : ", ") + std::string(a.*key);
  throw Error(ErrorKind::kInput, text("the model's architecture is ", printable(wanted),
                                      ", which Plumb does not know; it knows: ", names,
                                      ": use a model of one of these"));
}

}  // namespace

bool per_block(Role role) { return role >= Role::kAttentionNorm; }

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture& architecture_by_name(std::string_view name) {
  if (const Architecture* found = find(name, &Architecture::name)) return *found;
  throw Error(ErrorKind::kInternal, text("no architecture is called '", name, "'"));
}

const Architecture& architecture_by_gguf_name(std::string_view name) {
  return known(name, &Architecture::gguf_name);
}

const Architecture& architecture_by_class(std::string_view hugging_face_class) {
  return known(hugging_face_class, &Architecture::hugging_face_class);
}

const Architecture& architecture_by_type(std::string_view hugging_face_type) {
  return known(hugging_face_type, &Architecture::hugging_face_type);
}

bool has_role(Role role, const ModelConfig& config) {
  const DecoderOptions& o = config.options;
  switch (role) {
    case Role::kEmbedding:
    case Role::kFinalNorm:
    case Role::kAttentionNorm:
    case Role::kQuery:
    case Role::kKey:
    case Role::kValue:
    case Role::kQueryKeyValue:
    case Role::kAttentionOut:
    case Role::kUp:
    case Role::kDown:
      return true;
    case Role::kUnembedding:
      return !config.tied_embeddings;
    case Role::kUnembeddingBias:
      return o.unembedding_bias;
    case Role::kFinalNormBias:
    case Role::kAttentionNormBias:
      return o.norm == Norm::kLayer;
    case Role::kFeedForwardNorm:
      return !o.shared_norm;
    case Role::kFeedForwardNormBias:
      return !o.shared_norm && o.norm == Norm::kLayer;
    case Role::kQueryBias:
    case Role::kKeyBias:
    case Role::kValueBias:
    case Role::kQueryKeyValueBias:
      return o.query_key_value_bias;
    case Role::kQueryNorm:
    case Role::kKeyNorm:
      return o.query_key_norm != QueryKeyNorm::kNone;
    case Role::kAttentionOutBias:
      return o.attention_out_bias;
    case Role::kGate:
      return o.gated;
    case Role::kGateBias:
      return o.gated && o.feed_forward_bias;
    case Role::kUpBias:
    case Role::kDownBias:
      return o.feed_forward_bias;
  }
  throw Error(ErrorKind::kInternal, "an unknown role");
}

std::vector<int64_t> shape_of(Role role, const ModelConfig& c) {
  const int64_t query = c.head_count * c.head_width, key = c.kv_head_count * c.head_width;
  const bool whole = c.options.query_key_norm == QueryKeyNorm::kWhole;
  switch (role) {
    case Role::kEmbedding:
    case Role::kUnembedding:
      return {c.vocabulary_size, c.width};
    case Role::kUnembeddingBias:
      return {c.vocabulary_size};
    case Role::kFinalNorm:
    case Role::kFinalNormBias:
    case Role::kAttentionNorm:
    case Role::kAttentionNormBias:
    case Role::kFeedForwardNorm:
    case Role::kFeedForwardNormBias:
    case Role::kAttentionOutBias:
    case Role::kDownBias:
      return {c.width};
    case Role::kQuery:
      return {query, c.width};
    case Role::kKey:
    case Role::kValue:
      return {key, c.width};
    case Role::kQueryKeyValue:
      return {query + 2 * key, c.width};
    case Role::kQueryBias:
      return {query};
    case Role::kKeyBias:
    case Role::kValueBias:
      return {key};
    case Role::kQueryKeyValueBias:
      return {query + 2 * key};
    case Role::kQueryNorm:
      return {whole ? query : c.head_width};
    case Role::kKeyNorm:
      return {whole ? key : c.head_width};
    case Role::kAttentionOut:
      return {c.width, query};
    case Role::kGate:
    case Role::kUp:
      return {c.feed_forward_width, c.width};
    case Role::kGateBias:
    case Role::kUpBias:
      return {c.feed_forward_width};
    case Role::kDown:
      return {c.width, c.feed_forward_width};
  }
  throw Error(ErrorKind::kInternal, "a role without a shape");
}

std::string tensor_name(std::string_view pattern, int64_t block) {
  std::string name(pattern);
  if (const size_t at = name.find("{}"); at != std::string::npos)
    name.replace(at, 2, std::to_string(block));
  return name;
}

bool is_saved_buffer(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attention.bias") ||
         name.ends_with(".attention.masked_bias");
}

}  // namespace plumb::models
