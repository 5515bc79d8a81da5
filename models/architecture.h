#pragma once

#include <span>
#include <string>
#include <string_view>

#include "models/config.h"

namespace plumb::models {

/// The tensors that a decoder is made of. Those from kAttentionNorm on exist once per block. Norms and biases are
/// vectors; `H`, `G` are query heads and key-value heads times head width.
enum class Role {
  kEmbedding,        ///< [V, D]
  kFinalNorm,        ///< [D]
  kFinalNormBias,    ///< [D]
  kUnembedding,      ///< [V, D]; absent where tied to the embedding
  kUnembeddingBias,  ///< [V]
  kAttentionNorm,    ///< [D], before attention or, in BlockForm::kPostNorm, after it
  kAttentionNormBias,
  kQuery,          ///< [H, D]
  kKey,            ///< [G, D]
  kValue,          ///< [G, D]
  kQueryKeyValue,  ///< [H + 2 G, D]: the three in one tensor, in the order of Architecture::fused
  kQueryBias,
  kKeyBias,
  kValueBias,
  kQueryKeyValueBias,
  kQueryNorm,     ///< [head width], or [H] with QueryKeyNorm::kWhole
  kKeyNorm,       ///< [head width], or [G]
  kAttentionOut,  ///< [D, H]
  kAttentionOutBias,
  kFeedForwardNorm,  ///< [D]
  kFeedForwardNormBias,
  kGate,  ///< [F, D]
  kGateBias,
  kUp,  ///< [F, D]
  kUpBias,
  kDown,  ///< [D, F]
  kDownBias,
};
bool per_block(Role role);

/// Where a role's tensor is called what; `{}` stands for the block index. A name that is empty does not exist there.
struct TensorName {
  Role role;
  std::string_view hugging_face;  ///< "model.layers.{}.self_attn.q_proj.weight"
  std::string_view gguf;          ///< "blk.{}.attn_q.weight"
};

/// Rows of a fused tensor: all queries, all keys, all values; or, for each head, its query, key and value.
enum class FusedOrder { kByKind, kByHead };

/// One family of decoders: its names and its options. The seam for more architectures: a row here, an option in the
/// decoder where the arithmetic differs, no subclass.
struct Architecture {
  std::string_view name;  ///< "llama"; what Plumb calls it
  std::string_view
      gguf_name;  ///< `general.architecture`; empty where llama.cpp's name is another family's
  std::string_view hugging_face_class;  ///< config.json's architectures[0]
  std::string_view hugging_face_type;   ///< config.json's model_type
  std::span<const TensorName> tensors;
  DecoderOptions options = {};  ///< before config.json's own switches
  bool gguf_permutes_query_key =
      false;  ///< q and k rows are interleaved pairs in GGUF and must be undone
  FusedOrder fused = FusedOrder::kByKind;
  bool names_code =
      false;  ///< published config.json files have `auto_map`, whose code is what Plumb computes
};

/// All known families.
std::span<const Architecture> architectures();

/// By Plumb's name (Error{kInternal} for another), GGUF's, config.json's class or its model_type: Error{kInput} with
/// the list of the known ones.
const Architecture& architecture_by_name(std::string_view name);
const Architecture& architecture_by_gguf_name(std::string_view name);
const Architecture& architecture_by_class(std::string_view hugging_face_class);
const Architecture& architecture_by_type(std::string_view hugging_face_type);

/// Whether a decoder of this config has the role's tensor, fused or apart.
bool has_role(Role role, const ModelConfig& config);

/// The shape that the config demands.
std::vector<int64_t> shape_of(Role role, const ModelConfig& config);

/// `pattern` with the block index in place of `{}`.
std::string tensor_name(std::string_view pattern, int64_t block);

/// Buffers that older versions of transformers saved with the weights and that no weight depends on: rotary
/// frequencies and causal masks.
bool is_saved_buffer(std::string_view name);

}  // namespace plumb::models
