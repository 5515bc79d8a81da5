#pragma once

#include <span>
#include <string_view>

namespace plumb::models {

/// The tensors that a decoder is made of. Those from kAttentionNorm on exist once per block.
enum class Role {
  kEmbedding,        ///< [V, D]
  kFinalNorm,        ///< [D]
  kUnembedding,      ///< [V, D]; absent where tied to the embedding
  kAttentionNorm,    ///< [D]
  kQuery,            ///< [H * head_width, D]
  kKey,              ///< [kv_heads * head_width, D]
  kValue,            ///< [kv_heads * head_width, D]
  kAttentionOut,     ///< [D, H * head_width]
  kFeedForwardNorm,  ///< [D]
  kGate,             ///< [F, D]
  kUp,               ///< [F, D]
  kDown,             ///< [D, F]
};

/// Where a role's tensor is called what; `{}` stands for the block index. A name that is empty does not exist there.
struct TensorName {
  Role role;
  std::string_view hugging_face;  ///< "model.layers.{}.self_attn.q_proj.weight"
  std::string_view gguf;          ///< "blk.{}.attn_q.weight"
};

/// One family of decoders: its names and its options. The seam for more architectures: a row here, an option in the
/// decoder where the arithmetic differs, no subclass.
struct Architecture {
  std::string_view name;                ///< "llama", GGUF's `general.architecture`
  std::string_view hugging_face_class;  ///< config.json's architectures[0]
  std::string_view hugging_face_type;   ///< config.json's model_type
  bool gguf_permutes_query_key;  ///< q and k rows are interleaved pairs in GGUF and must be undone
  std::span<const TensorName> tensors;
};

/// All known families.
std::span<const Architecture> architectures();

/// By GGUF name or by config.json's class. Error{kInput} with the list of the known ones.
const Architecture& architecture_by_gguf_name(std::string_view name);
const Architecture& architecture_by_class(std::string_view hugging_face_class);

}  // namespace plumb::models
