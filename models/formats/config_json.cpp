#include <limits>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/formats/config_sources.h"
#include "models/formats/json_tree.h"

namespace plumb::models {
namespace {

constexpr int64_t kWidestHead = 65536;       // `validate` refuses a wider one
constexpr size_t kMostConfigValues = 65536;  // a classifier's table of labels may have thousands

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

// For a message: a container's own text could be as long as the file.
std::string shown(const Json& value) {
  if (value.is_structured()) return text(value.type_name(), " of ", value.size());
  return printable(value.dump());
}

// A key that is absent or null takes its default, as in transformers.
const Json* value_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

int64_t whole(const Json& value, const char* key) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())))
    throw damaged("'", key, "' is ", shown(value), "; a whole number is needed");
  return value.get<int64_t>();
}

int64_t required_whole(const Json& object, const char* key) {
  const Json* value = value_of(object, key);
  if (!value) throw damaged("'", key, "' is missing");
  return whole(*value, key);
}

int64_t whole_or(const Json& object, const char* key, int64_t fallback) {
  const Json* value = value_of(object, key);
  return value ? whole(*value, key) : fallback;
}

double real(const Json& value, const char* key) {
  if (!value.is_number()) throw damaged("'", key, "' is ", shown(value), "; a number is needed");
  return value.get<double>();
}

bool flag(const Json& object, const char* key) {
  const Json* value = value_of(object, key);
  if (value && !value->is_boolean())
    throw damaged("'", key, "' is ", shown(*value), "; true or false is needed");
  return value && value->get<bool>();
}

std::string word(const Json& value, const char* key) {
  if (!value.is_string()) throw damaged("'", key, "' is ", shown(value), "; text is needed");
  return value.get<std::string>();
}

bool flag_or(const Json& object, const char* key, bool fallback) {
  return value_of(object, key) ? flag(object, key) : fallback;
}

/// What a config says of rotary positions, in the words of transformers 4 (rope_theta, rope_scaling,
/// partial_rotary_factor, GPT-NeoX's own) and 5 (rope_parameters). Saying a thing twice is allowed, differently is not.
class Rope {
 public:
  explicit Rope(const Json& object) {
    for (const char* key : {"rope_theta", "rotary_emb_base"}) take(object, key, theta_);
    for (const char* key : {"partial_rotary_factor", "rotary_pct"}) take(object, key, partial_);
    for (const char* key : {"rope_parameters", "rope_scaling"}) read(object, key);
  }

  double theta() const { return theta_.value_or(10000.0); }
  const RopeScaling& scaling() const { return scaling_; }

  /// As transformers: int(head_width * factor).
  int64_t width(int64_t head_width, const Architecture& family) const {
    const bool phi = family.name == "phi", neox = family.name == "gpt_neox";
    const double factor = partial_.value_or(phi ? 0.5 : neox ? 0.25 : 1.0);
    if (!(factor > 0 && factor <= 1))
      throw damaged("'partial_rotary_factor' is ", factor, "; more than 0 and at most 1 is needed");
    if (factor == 1 || head_width > kWidestHead) return head_width;
    if (!phi && !neox)
      throw unsupported("'partial_rotary_factor' is ", factor,
                        ", which Plumb knows of phi and gpt_neox only");
    return static_cast<int64_t>(static_cast<double>(head_width) * factor);
  }

 private:
  static void take(const Json& object, const char* key, std::optional<double>& to) {
    const Json* value = value_of(object, key);
    if (!value) return;
    const double said = real(*value, key);
    if (to && *to != said) throw damaged(key, " is said twice, as ", *to, " and as ", said);
    to = said;
  }

  void read(const Json& object, const char* key) {
    const Json* rope = value_of(object, key);
    if (!rope) return;
    if (!rope->is_object()) throw damaged("'", key, "' is ", shown(*rope), "; an object is needed");
    take(*rope, "rope_theta", theta_);
    take(*rope, "partial_rotary_factor", partial_);
    std::string type = "default";
    for (const char* type_key : {"rope_type", "type"})
      if (const Json* said = value_of(*rope, type_key)) type = word(*said, type_key);
    RopeScaling scaling;
    if (type == "linear") {
      scaling.kind = RopeScaling::Kind::kLinear;
      scaling.factor = needed(*rope, "factor");
    } else if (type == "llama3") {
      scaling = {RopeScaling::Kind::kLlama3, needed(*rope, "factor"),
                 needed(*rope, "low_freq_factor"), needed(*rope, "high_freq_factor"),
                 required_whole(*rope, "original_max_position_embeddings")};
    } else if (type != "default") {
      throw unsupported(
          "'", key, "' asks for ", printable(type),
          " scaling of rotary positions, which Plumb does not have; it has 'default', "
          "'linear' and 'llama3'");
    }
    refuse_others(*rope, key, scaling.kind);
    if (seen_ && scaling != scaling_)
      throw damaged("the scaling of rotary positions is said twice, differently");
    scaling_ = scaling;
    seen_ = true;
  }

  static double needed(const Json& rope, const char* key) {
    const Json* value = value_of(rope, key);
    if (!value) throw damaged("'", key, "' of the scaling of rotary positions is missing");
    return real(*value, key);
  }

  static void refuse_others(const Json& rope, const char* key, RopeScaling::Kind kind) {
    for (const auto& [name, value] : rope.items()) {
      if (name == "rope_theta" || name == "rope_type" || name == "type" ||
          name == "partial_rotary_factor")
        continue;
      if (kind != RopeScaling::Kind::kNone && name == "factor") continue;
      if (kind == RopeScaling::Kind::kLlama3 &&
          (name == "low_freq_factor" || name == "high_freq_factor" ||
           name == "original_max_position_embeddings"))
        continue;
      throw unsupported("'", key, "' has ", printable(name), ", which Plumb does not implement");
    }
  }

  std::optional<double> theta_, partial_;
  RopeScaling scaling_;
  bool seen_ = false;
};

Activation activation_of(const Json& value, const char* key) {
  const std::string name = word(value, key);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  throw unsupported("'", key, "' is ", printable(name),
                    "; Plumb has 'silu', 'gelu', 'gelu_new' and 'gelu_pytorch_tanh'");
}

void refuse_quantised(const Json& object) {
  const Json* q = value_of(object, "quantization_config");
  if (!q) return;
  const Json* method = q->is_object() ? value_of(*q, "quant_method") : nullptr;
  throw refusal("the weights are quantised", method ? text(" by ", shown(*method)) : std::string(),
                " inside safetensors; Plumb reads F32, F16 and BF16 there: use the unquantised "
                "model, or a GGUF");
}

// Switches of a family's config that change its arithmetic.
void read_options(const Json& object, const Architecture& architecture, ModelConfig& config) {
  DecoderOptions& o = config.options;
  o = architecture.options;
  const std::string_view family = architecture.name;
  if (const Json* act = value_of(object, "hidden_act"))
    o.activation = activation_of(*act, "hidden_act");
  // The first Gemma files say "gelu" and mean its approximation, as transformers reads them.
  if (family == "gemma") {
    if (o.activation != Activation::kGelu && o.activation != Activation::kGeluTanh)
      throw unsupported("'hidden_act' is no GELU; Gemma without it is not known");
    o.activation = Activation::kGeluTanh;
  }
  // Olmo-2, Qwen 2 and Mistral read the first key and have no biases where Llama has them.
  const bool attention = flag_or(object, "attention_bias", family == "gpt_neox");
  if (attention && family != "llama" && family != "gpt_neox")
    throw unsupported("'attention_bias' is true, which Plumb knows of llama and gpt_neox only");
  if (family == "llama" || family == "gpt_neox")
    o.query_key_value_bias = o.attention_out_bias = attention;
  if (flag(object, "mlp_bias")) {
    if (family != "llama") throw unsupported("'mlp_bias' is true, which Plumb knows of llama only");
    o.feed_forward_bias = true;
  }
  if (family == "gpt_neox" && !flag_or(object, "use_parallel_residual", true))
    o.form = BlockForm::kSequential;
  if (flag(object, "qk_layernorm"))
    throw unsupported("'qk_layernorm' is true, which Plumb does not implement");
  if (flag(object, "use_bidirectional_attention"))
    throw unsupported("'use_bidirectional_attention' is true; Plumb's decoders are causal");
}

// Mistral's window is 4096 where its config says nothing; the others' is off unless it is asked for.
int64_t window_of(const Json& object, const Architecture& architecture) {
  if (architecture.name == "mistral") {
    if (object.contains("sliding_window") && object["sliding_window"].is_null()) return 0;
    const int64_t window = whole_or(object, "sliding_window", 4096);
    if (window < 1) throw damaged("'sliding_window' is ", window, "; at least 1 is needed");
    return window;
  }
  if (flag(object, "use_sliding_window"))
    throw unsupported(
        "'use_sliding_window' is true: the deeper blocks attend through a window, which Plumb has "
        "for all blocks or none");
  if (const Json* types = value_of(object, "layer_types"); types && types->is_array())
    for (const Json& type : *types)
      if (type != "full_attention")
        throw unsupported("'layer_types' has ", shown(type),
                          ", but Plumb has 'full_attention' only");
  return 0;
}

const Architecture& architecture_of(const Json& object) {
  const Json* type = value_of(object, "model_type");
  const Json* classes = value_of(object, "architectures");
  const Architecture* found = nullptr;
  if (classes) {
    if (!classes->is_array() || classes->size() != 1 || !classes->front().is_string())
      throw damaged("'architectures' is ", shown(*classes), "; a list of one name is needed");
    found = &architecture_by_class(classes->front().get<std::string>());
    if (type && word(*type, "model_type") != found->hugging_face_type)
      throw damaged("'model_type' is ", printable(type->get<std::string>()),
                    " but 'architectures' is ", printable(found->hugging_face_class));
  } else {
    if (!type) throw damaged("'architectures' is missing");
    found = &architecture_by_type(word(*type, "model_type"));
  }
  // The code that Qwen's and Phi-2's files name is what Plumb computes; another's could be anything.
  if (object.contains("auto_map") && !found->names_code)
    throw unsupported("the config asks for code of its own ('auto_map'), which Plumb never runs");
  return *found;
}

std::optional<int64_t> token(const Json& object, const char* key) {
  const Json* value = value_of(object, key);
  if (value && value->is_array()) value = value->empty() ? nullptr : &value->front();
  return value ? std::optional(whole(*value, key)) : std::nullopt;
}

/// Keys that Qwen 1 calls otherwise, and what its code does beside. Its `intermediate_size` counts gate and up.
void read_qwen(const Json& object, ModelConfig& config) {
  config.feed_forward_width = required_whole(object, "intermediate_size") / 2;
  config.head_width = whole_or(object, "kv_channels", config.head_width);
  if (!flag_or(object, "no_bias", true))
    throw unsupported(
        "'no_bias' is false; Plumb has Qwen's biases on queries, keys and values only");
  // Beyond its training length Qwen scales queries (use_logn_attn) and positions (use_dynamic_ntk).
  config.max_positions = whole_or(object, "seq_length", 2048);
}

int64_t head_width_of(const Json& object, const ModelConfig& config) {
  if (value_of(object, "head_dim")) return required_whole(object, "head_dim");
  if (config.architecture == "qwen3") return 128;
  if (config.architecture == "gemma") return 256;
  if (config.head_count < 1 || config.width % config.head_count != 0)
    throw damaged("'hidden_size' ", config.width, " is no multiple of 'num_attention_heads' ",
                  config.head_count, ", and 'head_dim' is missing");
  return config.width / config.head_count;
}

/// The families' key and default.
double epsilon_of(const Json& object, const ModelConfig& config) {
  const bool qwen = config.architecture == "qwen";
  const char* key = qwen                                  ? "layer_norm_epsilon"
                    : config.options.norm == Norm::kLayer ? "layer_norm_eps"
                                                          : "rms_norm_eps";
  const bool wide = config.options.norm == Norm::kLayer || config.architecture == "olmo2";
  const Json* value = value_of(object, key);
  return value ? real(*value, key) : wide ? 1e-5 : 1e-6;
}

}  // namespace

ModelConfig config_from_json(std::string_view json) {
  const JsonTree tree(json, kMostConfigValues);
  const Json& object = tree.root();
  if (!object.is_object()) throw damaged("the config is no JSON object");
  const Architecture& architecture = architecture_of(object);
  refuse_quantised(object);
  ModelConfig config;
  config.architecture = architecture.name;
  read_options(object, architecture, config);
  // A path of the machine that saved the model says nothing here; the folder's name will do.
  if (const Json* name = value_of(object, "_name_or_path");
      name && name->is_string() && !name->get<std::string>().starts_with('/'))
    config.name = name->get<std::string>();
  config.block_count = required_whole(object, "num_hidden_layers");
  config.width = required_whole(object, "hidden_size");
  config.head_count = required_whole(object, "num_attention_heads");
  // MistralConfig's own default is 8.
  config.kv_head_count = architecture.name == "mistral"
                             ? required_whole(object, "num_key_value_heads")
                             : whole_or(object, "num_key_value_heads", config.head_count);
  config.vocabulary_size = required_whole(object, "vocab_size");
  config.max_positions = whole_or(object, "max_position_embeddings", 2048);
  config.head_width = head_width_of(object, config);
  const Rope rope(object);
  config.rope_theta = rope.theta();
  config.rope_scaling = rope.scaling();
  if (architecture.name == "qwen")
    read_qwen(object, config);
  else
    config.feed_forward_width = required_whole(object, "intermediate_size");
  config.rotary_width = rope.width(config.head_width, architecture);
  config.norm_epsilon = epsilon_of(object, config);
  config.window = window_of(object, architecture);
  config.tied_embeddings = flag_or(object, "tie_word_embeddings", architecture.name == "gemma");
  config.bos_token = token(object, "bos_token_id");
  config.eos_token = token(object, "eos_token_id");
  validate(config);
  return config;
}

}  // namespace plumb::models
