#include <algorithm>
#include <limits>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/formats/config_sources.h"

namespace plumb::models {
namespace {

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

/// Typed reads of metadata; `key` without the architecture's prefix where it begins with '.'.
class Metadata {
 public:
  Metadata(const GgufHeader& header, std::string architecture)
      : header_(header), architecture_(std::move(architecture)) {}

  std::optional<int64_t> whole(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return std::nullopt;
    if (const auto* positive = std::get_if<uint64_t>(value);
        positive && *positive <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return static_cast<int64_t>(*positive);
    if (const auto* whole = std::get_if<int64_t>(value)) return *whole;
    throw damaged("metadata key ", printable(full(key)), " must be one whole number");
  }

  int64_t required_whole(std::string_view key) const {
    const auto value = whole(key);
    if (!value) throw damaged("metadata key ", printable(full(key)), " is missing");
    return *value;
  }

  std::optional<double> real(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return std::nullopt;
    if (const auto* number = std::get_if<double>(value)) return *number;
    throw damaged("metadata key ", printable(full(key)), " must be one floating-point number");
  }

  std::optional<std::string> word(std::string_view key) const {
    const GgufValue* value = find(key);
    if (!value) return std::nullopt;
    if (const auto* found = std::get_if<std::string_view>(value)) return std::string(*found);
    throw damaged("metadata key ", printable(full(key)), " must be text");
  }

  const GgufValue* find(std::string_view key) const {
    const auto found = header_.metadata.find(full(key));
    return found == header_.metadata.end() ? nullptr : &found->second;
  }

 private:
  std::string full(std::string_view key) const {
    return key.starts_with('.') ? architecture_ + std::string(key) : std::string(key);
  }

  const GgufHeader& header_;
  std::string architecture_;
};

// What llama.cpp's loader would compute otherwise than Plumb's decoder.
void refuse_foreign_arithmetic(const Metadata& metadata, const std::string& prefix,
                               const ModelConfig& config) {
  if (const auto scaling = metadata.word(".rope.scaling.type"); scaling && *scaling != "none")
    throw unsupported("the model asks for ", printable(*scaling),
                      " scaling of rotary positions, which Plumb does not have");
  for (const char* key : {".rope.scaling.factor", ".rope.scale_linear"})
    if (const auto factor = metadata.real(key); factor && *factor != 1.0 && *factor != 0.0)
      throw unsupported("the model scales rotary positions by ", *factor,
                        ", which Plumb does not do");
  for (const char* key :
       {".logit_scale", ".embedding_scale", ".residual_scale", ".attention.scale"})
    if (const auto factor = metadata.real(key); factor && *factor != 1.0 && *factor != 0.0)
      throw unsupported("metadata key ", printable(prefix + key), " is ", *factor,
                        ", which Plumb does not implement");
  for (const char* key : {".expert_count", ".attention.sliding_window"})
    if (const auto count = metadata.whole(key); count && *count != 0)
      throw unsupported("metadata key ", printable(prefix + key), " is ", *count,
                        ", which Plumb does not implement");
  for (const char* key : {".rope.dimension_count", ".attention.value_length"}) {
    if (key == std::string_view(".rope.dimension_count") && config.architecture == "phi") continue;
    if (const auto size = metadata.whole(key); size && *size != config.head_width)
      throw unsupported("metadata key ", printable(prefix + key), " is ", *size, " but a head has ",
                        config.head_width, " values; Plumb needs them equal");
  }
  if (const auto splits = metadata.whole("split.count"); splits && *splits > 1)
    throw refusal("the GGUF file is one of ", *splits,
                  " parts; merge them with llama.cpp's gguf-split");
}

std::optional<int64_t> token(const Metadata& metadata, const char* key) {
  return metadata.whole(key);
}

}  // namespace

ModelConfig config_from_gguf(const GgufHeader& header) {
  const auto name = Metadata(header, "").word("general.architecture");
  if (!name) throw damaged("metadata key 'general.architecture' is missing");
  const Architecture& architecture = architecture_by_gguf_name(*name);
  const Metadata metadata(header, *name);
  ModelConfig config;
  config.architecture = architecture.name;
  config.name = metadata.word("general.name").value_or("");
  config.license = metadata.word("general.license").value_or("");
  config.block_count = metadata.required_whole(".block_count");
  config.width = metadata.required_whole(".embedding_length");
  config.head_count = metadata.required_whole(".attention.head_count");
  config.kv_head_count = metadata.whole(".attention.head_count_kv").value_or(config.head_count);
  config.feed_forward_width = metadata.required_whole(".feed_forward_length");
  config.max_positions = metadata.required_whole(".context_length");
  const auto key_length = metadata.whole(".attention.key_length");
  if (!key_length && (config.head_count < 1 || config.width % config.head_count != 0))
    throw damaged("the width ", config.width, " is no multiple of the ", config.head_count,
                  " heads");
  config.head_width = key_length ? *key_length : config.width / config.head_count;
  config.rotary_width = architecture.name == "phi"
                            ? metadata.required_whole(".rope.dimension_count")
                            : config.head_width;
  config.options = architecture.options;
  const char* epsilon_key = config.options.norm == Norm::kLayer
                                ? ".attention.layer_norm_epsilon"
                                : ".attention.layer_norm_rms_epsilon";
  const auto epsilon = metadata.real(epsilon_key);
  if (!epsilon) throw damaged("metadata key ", printable(*name + epsilon_key), " is missing");
  config.norm_epsilon = *epsilon;
  config.rope_theta = metadata.real(".rope.freq_base").value_or(10000.0);
  const auto has = [&](std::string_view tensor) {
    return std::find_if(header.tensors.begin(), header.tensors.end(),
                        [&](const TensorEntry& entry) { return entry.name == tensor; });
  };
  const auto embedding = has("token_embd.weight");
  if (embedding == header.tensors.end() || embedding->shape.size() != 2)
    throw damaged("tensor 'token_embd.weight' is missing or no matrix");
  config.vocabulary_size = embedding->shape[0];
  if (const auto size = metadata.whole(".vocab_size"); size && *size != config.vocabulary_size)
    throw damaged("the vocabulary has ", *size, " tokens but the embedding ",
                  config.vocabulary_size, " rows");
  config.tied_embeddings = has("output.weight") == header.tensors.end();
  config.bos_token = token(metadata, "tokenizer.ggml.bos_token_id");
  config.eos_token = token(metadata, "tokenizer.ggml.eos_token_id");
  refuse_foreign_arithmetic(metadata, *name, config);
  validate(config);
  return config;
}

}  // namespace plumb::models
