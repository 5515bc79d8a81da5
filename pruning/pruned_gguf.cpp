#include "pruning/pruned_gguf.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/layers/rope_table.h"
#include "models/tokenizer/to_gguf.h"
#include "pruning/weight_pieces.h"

namespace plumb::pruning {
namespace {

using models::GgufField;
using models::GgufFields;
using models::ModelConfig;
using models::Role;
using models::StoredType;

constexpr const char* kInstead =
    "; write safetensors, which llama.cpp's convert_hf_to_gguf.py can convert";

bool is_quantised(StoredType type) { return models::block_layout(type).values > 1; }

/// ggml multiplies by vectors in F32 alone, and llama.cpp's converter writes them so.
StoredType type_of(const models::TensorEntry& entry, bool copied, bool bf16) {
  if (copied) return entry.type;
  if (entry.shape.size() == 1) return StoredType::kF32;
  if (!is_quantised(entry.type)) return entry.type;
  return bf16 ? StoredType::kBf16 : StoredType::kF32;
}

/// llama.cpp's LLAMA_FTYPE, which names what most values are stored as.
std::optional<int64_t> file_type(const std::vector<GgufTensor>& tensors) {
  std::map<StoredType, uint64_t> bytes;
  for (const GgufTensor& tensor : tensors)
    if (tensor.slot.shape.size() > 1) bytes[tensor.slot.type] += tensor.slot.size_bytes();
  const auto most = std::ranges::max_element(bytes, {}, [](const auto& one) { return one.second; });
  if (most == bytes.end() || most->first == StoredType::kF32) return 0;
  if (most->first == StoredType::kF16) return 1;
  if (most->first == StoredType::kBf16) return 32;
  return std::nullopt;  // a mixture of quantised types: its name stays
}

bool any_quantised(const std::vector<GgufTensor>& tensors) {
  return std::ranges::any_of(tensors,
                             [](const GgufTensor& t) { return is_quantised(t.slot.type); });
}

GgufFields carried_over(const models::GgufHeader& header, const std::string& architecture,
                        const PruningPlan& plan, const std::vector<GgufTensor>& tensors) {
  GgufFields fields;
  const auto type = file_type(tensors);
  for (const auto& [key, number] : header.keys) {
    if (key.starts_with("split.") || key.starts_with("plumb.") || key == "general.alignment" ||
        (key == "general.file_type" && type) ||
        (key == "general.quantization_version" && !any_quantised(tensors)))
      continue;
    const auto* array = std::get_if<models::GgufArray>(&header.metadata.at(key));
    if (array && key.starts_with(architecture + ".") &&
        array->size() == static_cast<uint64_t>(plan.block_count))
      throw Error(ErrorKind::kInput,
                  text("metadata key ", models::printable(key),
                       " has one entry for each block, which Plumb cannot cut", kInstead));
    if (key == architecture + ".block_count")
      fields.emplace_back(key, GgufField::count(plan.block_count - plan.removed_count()));
    else
      fields.emplace_back(key, GgufField::of(header, key));
  }
  if (type) fields.emplace_back("general.file_type", GgufField::count(*type));
  return fields;
}

GgufFields made(const models::Checkpoint& checkpoint, const std::filesystem::path& model_path,
                const std::string& architecture, const PruningPlan& plan,
                const std::vector<GgufTensor>& tensors) {
  const ModelConfig& config = checkpoint.config();
  GgufFields fields;
  const auto add = [&](const std::string& key, GgufField field) {
    fields.emplace_back(key.starts_with('.') ? architecture + key : key, std::move(field));
  };
  const auto count = [&](const char* key, int64_t value) { add(key, GgufField::count(value)); };
  add("general.architecture", GgufField::words(architecture));
  add("general.type", GgufField::words("model"));
  if (!config.name.empty()) add("general.name", GgufField::words(config.name));
  if (!config.license.empty()) add("general.license", GgufField::words(config.license));
  count("general.file_type", file_type(tensors).value_or(0));
  // llama.cpp has no window for these families: within its length there is no difference.
  count(".context_length",
        config.window > 0 ? std::min(config.window, config.max_positions) : config.max_positions);
  count(".embedding_length", config.width);
  count(".block_count", plan.block_count - plan.removed_count());
  count(".feed_forward_length", config.feed_forward_width);
  count(".attention.head_count", config.head_count);
  count(".attention.head_count_kv", config.kv_head_count);
  count(".attention.key_length", config.head_width);
  count(".attention.value_length", config.head_width);
  add(config.options.norm == models::Norm::kLayer ? ".attention.layer_norm_epsilon"
                                                  : ".attention.layer_norm_rms_epsilon",
      GgufField::real(config.norm_epsilon));
  count(".rope.dimension_count", config.rotary_width);
  add(".rope.freq_base", GgufField::real(config.rope_theta));
  count(".vocab_size", config.vocabulary_size);
  for (auto& field : models::gguf_tokenizer(model_path, config)) fields.push_back(std::move(field));
  return fields;
}

/// Rows of heads from Hugging Face's halves to the pairs that llama.cpp rotates.
at::Tensor in_pairs(const at::Tensor& rows, int64_t head_width) {
  return rows.view({-1, 2, head_width / 2, rows.size(1)}).transpose(1, 2).reshape(rows.sizes());
}

std::span<const std::byte> bytes_of(const at::Tensor& values) {
  return {static_cast<const std::byte*>(values.const_data_ptr()),
          static_cast<size_t>(values.nbytes())};
}

}  // namespace

std::string_view gguf_architecture(const models::Checkpoint& checkpoint) {
  const models::Architecture& own = checkpoint.architecture();
  // llama.cpp reads Mistral's files as Llama's, whose layout they then have.
  const std::string_view name = own.name == "mistral" ? "llama" : own.gguf_name;
  if (name.empty())
    throw Error(ErrorKind::kInput, text("Plumb writes no GGUF of a ", own.name,
                                        " decoder, but of llama, mistral, qwen2, qwen3, phi and "
                                        "gemma ones",
                                        kInstead));
  if (checkpoint.config().options != models::architecture_by_gguf_name(name).options)
    throw Error(ErrorKind::kInput,
                text("this ", own.name, " decoder has biases or another option that GGUF files of ",
                     name, " have no key for", kInstead));
  return name;
}

std::vector<GgufTensor> plan_gguf(const models::Checkpoint& checkpoint, const PruningPlan& plan,
                                  bool bf16, const WeightChange& change) {
  std::vector<GgufTensor> tensors;
  for (KeptTensor& kept : kept_tensors(checkpoint, plan, &models::TensorName::gguf)) {
    const bool touched = change.touches && change.touches(kept.role, kept.block);
    const bool copied = checkpoint.is_gguf() && !touched;
    const StoredType type = type_of(kept.entry, copied, bf16);
    models::TensorSlot slot{std::move(kept.name), type, kept.entry.shape};
    tensors.push_back(
        {kept.role, kept.source_block, kept.block, std::move(kept.entry), std::move(slot), copied});
  }
  return tensors;
}

GgufFields gguf_metadata(const models::Checkpoint& checkpoint,
                         const std::filesystem::path& model_path, const PruningPlan& plan,
                         const std::vector<GgufTensor>& tensors) {
  const std::string architecture(gguf_architecture(checkpoint));
  return checkpoint.is_gguf() ? carried_over(*checkpoint.gguf_header(), architecture, plan, tensors)
                              : made(checkpoint, model_path, architecture, plan, tensors);
}

std::vector<float> gguf_rope_factors(const models::Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  if (config.rope_scaling.kind == models::RopeScaling::Kind::kNone) return {};
  const auto plain = models::rope_frequencies(config.rotary_width, config.rope_theta, {});
  const auto scaled =
      models::rope_frequencies(config.rotary_width, config.rope_theta, config.rope_scaling);
  std::vector<float> factors(plain.size());
  std::ranges::transform(plain, scaled, factors.begin(), std::divides());
  // llama.cpp reads the tensor for Llama alone; that a reader knows the scaling again is tried here.
  if (gguf_architecture(checkpoint) != "llama")
    throw Error(
        ErrorKind::kInput,
        text("this ", config.architecture,
             " decoder scales its rotary positions, which its GGUF files cannot say", kInstead));
  try {
    if (models::scaling_of_factors(factors, config.rope_theta) == config.rope_scaling)
      return factors;
  } catch (const Error&) {
  }
  throw Error(ErrorKind::kInput,
              text("the rotary positions are scaled in another way than Llama 3's", kInstead));
}

double write_gguf_tensor(const models::Checkpoint& checkpoint, const GgufTensor& tensor,
                         models::GgufWriter& writer, const std::function<void()>& between,
                         const WeightChange& change) {
  const int64_t columns = tensor.slot.shape.back();
  const int64_t rows = tensor.slot.shape.size() == 1 ? 1 : tensor.slot.shape.front();
  const int64_t step = rows_a_piece(checkpoint, tensor.role, columns);
  const bool paired = gguf_architecture(checkpoint) == "llama" &&
                      (tensor.role == Role::kQuery || tensor.role == Role::kKey);
  const bool plus_one = !checkpoint.is_gguf() && has_gain_less_one(checkpoint, tensor.role);
  const uint64_t row_bytes = tensor.entry.size_bytes() / static_cast<uint64_t>(rows);
  std::vector<std::byte> bytes;
  double error = 0;
  for (int64_t first = 0; first < rows; first += step) {
    if (between) between();
    const int64_t count = std::min(step, rows - first);
    // Decoded also where it is copied: a NaN is refused, whoever wrote it.
    at::Tensor values =
        checkpoint.load_rows(tensor.role, tensor.source_block, first, count, at::kFloat);
    if (tensor.copied) {
      bytes.resize(static_cast<uint64_t>(count) * row_bytes);
      checkpoint.read_stored(tensor.entry, static_cast<uint64_t>(first) * row_bytes, bytes);
      writer.write(bytes);
      continue;
    }
    if (plus_one) values.add_(1);
    if (change.apply) change.apply(tensor.role, tensor.block, first, values);
    if (paired) values = in_pairs(values, checkpoint.config().head_width);
    const at::Tensor stored = values.to(scalar_type(tensor.slot.type)).contiguous();
    if (is_quantised(tensor.entry.type) && tensor.slot.type == StoredType::kBf16)
      error = std::max(error, rounding_error(tensor.entry.name, values, stored));
    writer.write(bytes_of(stored));
  }
  return error;
}

}  // namespace plumb::pruning
