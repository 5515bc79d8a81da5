#include "models/architecture.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "models/formats/bounds.h"

namespace plumb::models {
namespace {

constexpr std::array<TensorName, 12> kLlamaTensors{{
    {Role::kEmbedding, "model.embed_tokens.weight", "token_embd.weight"},
    {Role::kFinalNorm, "model.norm.weight", "output_norm.weight"},
    {Role::kUnembedding, "lm_head.weight", "output.weight"},
    {Role::kAttentionNorm, "model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight"},
    {Role::kQuery, "model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight"},
    {Role::kKey, "model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight"},
    {Role::kValue, "model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight"},
    {Role::kAttentionOut, "model.layers.{}.self_attn.o_proj.weight", "blk.{}.attn_output.weight"},
    {Role::kFeedForwardNorm, "model.layers.{}.post_attention_layernorm.weight",
     "blk.{}.ffn_norm.weight"},
    {Role::kGate, "model.layers.{}.mlp.gate_proj.weight", "blk.{}.ffn_gate.weight"},
    {Role::kUp, "model.layers.{}.mlp.up_proj.weight", "blk.{}.ffn_up.weight"},
    {Role::kDown, "model.layers.{}.mlp.down_proj.weight", "blk.{}.ffn_down.weight"},
}};

// Mistral 7B (without a sliding window, which formats/config_json.cpp demands) computes what Llama
// computes under the same names; GGUF files of it call themselves llama.
constexpr std::array<Architecture, 2> kArchitectures{{
    {"llama", "LlamaForCausalLM", "llama", true, kLlamaTensors},
    {"mistral", "MistralForCausalLM", "mistral", true, kLlamaTensors},
}};

const Architecture& find(std::string_view wanted, std::string_view Architecture::*key) {
  const auto found = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                  [&](const Architecture& a) { return a.*key == wanted; });
  if (found != kArchitectures.end()) return *found;
  std::string known;
  for (const Architecture& a : kArchitectures)
    known += (known.empty() ? "" : ", ") + std::string(a.*key);
  throw Error(ErrorKind::kInput, text("the model's architecture is ", printable(wanted),
                                      ", which Plumb does not know; it knows: ", known,
                                      ": use a model of one of these"));
}

}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture& architecture_by_gguf_name(std::string_view name) {
  return find(name, &Architecture::name);
}

const Architecture& architecture_by_class(std::string_view hugging_face_class) {
  return find(hugging_face_class, &Architecture::hugging_face_class);
}

}  // namespace plumb::models
