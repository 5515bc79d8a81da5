#include "models/formats/checkpoint.h"

#include <ATen/ops/empty.h>

#include <map>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "models/formats/bounds.h"
#include "models/formats/config_sources.h"
#include "models/formats/model_file.h"
#include "models/formats/model_folder.h"
#include "models/formats/safetensors.h"
#include "models/formats/weight_reader.h"
#include "models/layers/rope_table.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRopeFactors = "rope_freqs.weight";
constexpr uintmax_t kLongestConfig = 4u << 20;  // a real one has a few kilobytes

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

// A file of a model, its name in front of whatever is wrong with it.
template <typename Function>
auto in_file(const fs::path& path, Function&& function) {
  try {
    return function();
  } catch (const Error& error) {
    throw error.within(path.filename().string());
  }
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (const int64_t size : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + "]";
}

}  // namespace

class Checkpoint::Impl {
 public:
  std::optional<GgufHeader> header;  // of a GGUF file, without its tensors
  ModelConfig config;
  const Architecture* architecture = nullptr;
  std::vector<fs::path> paths;   // of the weights, then config.json where there is one
  std::vector<ModelFile> files;  // same order
  TensorEntries tensors;
  std::map<std::string, size_t, std::less<>> by_name;
  mutable std::mutex hashing;
  mutable std::string hash;

  void open_gguf(const fs::path& path) {
    in_file(path, [&] {
      add_file(path);
      header = parse_gguf(files.front());
      config = config_from_gguf(*header);
      tensors = std::move(header->tensors);
      read_rope_factors();
      if (config.name.empty()) config.name = path.stem().string();
      finish();
    });
  }

  void open_folder(const fs::path& folder) {
    const fs::path config_path = folder / "config.json";
    if (!fs::exists(config_path))
      throw refusal(printable(folder.string()),
                    " has no config.json, so it holds no Hugging Face model; a folder with "
                    "config.json and safetensors, or a GGUF file, is needed");
    in_file(config_path, [&] {
      require_inside(folder, config_path);
      if (const uintmax_t bytes = fs::file_size(config_path); bytes > kLongestConfig)
        throw damaged("the config has ", bytes, " bytes; at most ", kLongestConfig, " are allowed");
      config = config_from_json(read_file(config_path));
    });
    config.license = license_of_folder(folder);
    if (config.name.empty())
      config.name = fs::absolute(folder).lexically_normal().filename().string();
    in_file(folder, [&] {
      const FolderWeights weights = find_weights(folder);
      for (size_t i = 0; i < weights.files.size(); ++i)
        in_file(weights.files[i], [&] { add_safetensors(weights, i); });
      require_every_indexed(weights);
      add_file(config_path);
      finish();
    });
  }

  std::optional<TensorEntry> entry(Role role, int64_t block) const {
    if (per_block(role) ? block < 0 || block >= config.block_count : block > 0)
      throw Error(ErrorKind::kInvariant,
                  text("the model has no block ", block, " of ", config.block_count));
    if (!has_role(role, config)) return std::nullopt;
    if (const TensorEntry* found = named(role, block)) return *found;
    switch (role) {
      case Role::kQuery:
      case Role::kKey:
      case Role::kValue:
        return part_of(Role::kQueryKeyValue, role, block);
      case Role::kQueryBias:
      case Role::kKeyBias:
      case Role::kValueBias:
        return part_of(Role::kQueryKeyValueBias, role, block);
      default:
        return std::nullopt;
    }
  }

  TensorEntry required_entry(Role role, int64_t block) const {
    auto found = entry(role, block);
    if (!found && role == Role::kUnembedding)
      throw refusal("the model has no unembedding of its own: it is tied to the embedding");
    if (!found)
      throw Error(ErrorKind::kInvariant,
                  text("a ", config.architecture, " decoder has no tensor of this role"));
    return *std::move(found);
  }

  // Rows from `first` on into `out`, as many as it has.
  void read(Role role, const TensorEntry& entry, int64_t first, const at::Tensor& out) const {
    const bool permuted = header && architecture->gguf_permutes_query_key &&
                          (role == Role::kQuery || role == Role::kKey);
    in_file(paths[entry.file], [&] {
      read_rows(files[entry.file], entry, first, permuted ? config.head_width : 0, out);
    });
  }

 private:
  std::string_view pattern(const TensorName& row) const {
    return header ? row.gguf : row.hugging_face;
  }

  const TensorEntry* named(Role role, int64_t block) const {
    for (const TensorName& row : architecture->tensors)
      if (row.role == role) {
        const auto found = by_name.find(tensor_name(pattern(row), block));
        return found == by_name.end() ? nullptr : &tensors[found->second];
      }
    return nullptr;
  }

  // Whether queries, keys and values that are not under a role's name are there apart or fused.
  bool held_otherwise(Role role, int64_t block) const {
    if (role == Role::kQueryKeyValue) return named(Role::kQuery, block) != nullptr;
    if (role == Role::kQueryKeyValueBias) return named(Role::kQueryBias, block) != nullptr;
    return per_block(role) && entry(role, block).has_value();
  }

  // Queries, keys or values out of a tensor that has all queries, then all keys, then all values.
  std::optional<TensorEntry> part_of(Role fused, Role role, int64_t block) const {
    const TensorEntry* whole =
        architecture->fused == FusedOrder::kByKind ? named(fused, block) : nullptr;
    if (!whole) return std::nullopt;
    const int64_t query = config.head_count * config.head_width;
    const int64_t key = config.kv_head_count * config.head_width;
    const int64_t first = role == Role::kQuery || role == Role::kQueryBias ? 0
                          : role == Role::kKey || role == Role::kKeyBias   ? query
                                                                           : query + key;
    TensorEntry part = *whole;
    part.shape = shape_of(role, config);
    const std::vector<int64_t> row =
        part.shape.size() == 1 ? std::vector<int64_t>{1} : std::vector<int64_t>{part.shape.back()};
    part.begin += static_cast<uint64_t>(first) * stored_bytes(part.name, row, part.type);
    part.end = part.begin + stored_bytes(part.name, part.shape, part.type);
    return part;
  }

  // llama.cpp stores what Llama 3 divides its rotary frequencies by instead of how that is computed.
  void read_rope_factors() {
    const auto found = std::ranges::find(tensors, kRopeFactors, &TensorEntry::name);
    if (found == tensors.end()) return;
    if (found->type != StoredType::kF32 ||
        found->shape != std::vector<int64_t>{config.rotary_width / 2})
      throw damaged("tensor ", printable(found->name), " must be F32 of ", config.rotary_width / 2,
                    " values");
    std::vector<float> factors(static_cast<size_t>(config.rotary_width / 2));
    files.front().read(found->begin, std::as_writable_bytes(std::span(factors)));
    config.rope_scaling = scaling_of_factors(factors, config.rope_theta);
  }

  void add_file(const fs::path& path) {
    files.emplace_back(path);
    paths.push_back(path);
  }

  void add_safetensors(const FolderWeights& weights, size_t file) {
    add_file(weights.files[file]);
    for (TensorEntry& entry : parse_safetensors(files.back()).tensors) {
      if (!weights.file_of.empty()) {
        const auto listed = weights.file_of.find(entry.name);
        if (listed == weights.file_of.end() || listed->second != file)
          throw refusal("tensor ", printable(entry.name), " is here, but the index has it ",
                        listed == weights.file_of.end() ? "nowhere" : "in another file",
                        "; the files are of different models: fetch them again");
      }
      entry.file = file;
      tensors.push_back(std::move(entry));
    }
  }

  void require_every_indexed(const FolderWeights& weights) const {
    if (weights.file_of.size() <= tensors.size())
      return;  // add_safetensors saw that each is listed where it is
    std::map<std::string_view, bool> present;
    for (const TensorEntry& entry : tensors) present[entry.name] = true;
    for (const auto& [name, file] : weights.file_of)
      if (!present.contains(name))
        throw refusal("the index has tensor ", printable(name), " in ",
                      printable(weights.files[file].filename().string()),
                      ", which lacks it; fetch the model again");
  }

  void finish() {
    architecture = &architecture_by_name(config.architecture);
    for (size_t i = 0; i < tensors.size(); ++i) by_name.emplace(tensors[i].name, i);
    std::map<std::string_view, bool> used;
    int64_t missing = 0;
    std::string first_missing;
    for (const TensorName& row : architecture->tensors) {
      // A tied unembedding may be stored all the same.
      if (pattern(row).empty() || (!has_role(row.role, config) && row.role != Role::kUnembedding))
        continue;
      for (int64_t block = 0; block < (per_block(row.role) ? config.block_count : 1); ++block) {
        const std::string name = tensor_name(pattern(row), block);
        const auto found = by_name.find(name);
        if (found != by_name.end()) {
          require_shape(tensors[found->second], shape_of(row.role, config));
          used[found->first] = true;
        } else if (!held_otherwise(row.role, block) &&
                   (row.role != Role::kUnembedding || !config.tied_embeddings)) {
          if (missing++ == 0) first_missing = name;
        }
      }
    }
    if (missing > 0)
      throw refusal(missing, " tensors of a ", config.architecture, " decoder of ",
                    config.block_count, " blocks are missing, the first is ",
                    printable(first_missing), "; fetch the model again");
    refuse_unused(used);
  }

  static void require_shape(const TensorEntry& entry, const std::vector<int64_t>& needed) {
    if (entry.shape != needed)
      throw refusal("tensor ", printable(entry.name), " has shape ", shape_text(entry.shape),
                    " but the config needs ", shape_text(needed),
                    "; weights and config are of different models: fetch both again");
  }

  // A tensor that nothing reads would change what the model computes elsewhere: a bias, a 31st
  // block, frequencies.
  void refuse_unused(const std::map<std::string_view, bool>& used) const {
    for (const TensorEntry& entry : tensors)
      if (!used.contains(entry.name) && !is_saved_buffer(entry.name) &&
          !(header && entry.name == kRopeFactors))
        throw refusal(
            "tensor ", printable(entry.name), " has no place in a ", config.architecture,
            " decoder of ", config.block_count,
            " blocks as Plumb knows it; leaving it out would change what the model computes: "
            "use another model");
  }
};

Checkpoint Checkpoint::open(const fs::path& path) try {
  auto impl = std::make_shared<Impl>();
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() ==
      fs::file_type::none)  // neither there nor absent: a loop of links, a folder that is closed
    throw refusal("cannot look at ", printable(path.string()), ": ", failed.message());
  if (!fs::exists(status))
    throw refusal("there is no model at ", printable(path.string()),
                  "; a GGUF file or a folder is needed");
  if (fs::is_directory(status)) {
    impl->open_folder(path);
  } else {
    const std::string extension = path.extension().string();
    if (extension == ".safetensors")
      throw refusal(printable(path.filename().string()),
                    " is one file of a model; name its folder");
    if (extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt")
      throw refusal(printable(path.filename().string()),
                    " is a pickle, which can run any code when it is read; Plumb "
                    "refuses it: save the model as safetensors");
    impl->open_gguf(path);
  }
  return Checkpoint(std::move(impl));
} catch (const fs::filesystem_error& error) {
  throw refusal("cannot look at ", printable(error.path1().string()), ": ", error.code().message());
}

const ModelConfig& Checkpoint::config() const { return impl_->config; }
const Architecture& Checkpoint::architecture() const { return *impl_->architecture; }
const std::vector<fs::path>& Checkpoint::files() const { return impl_->paths; }
const TensorEntries& Checkpoint::tensors() const { return impl_->tensors; }
const GgufHeader* Checkpoint::gguf_header() const {
  return impl_->header ? &*impl_->header : nullptr;
}

std::optional<TensorEntry> Checkpoint::find(Role role, int64_t block) const {
  return impl_->entry(role, block);
}

at::Tensor Checkpoint::load(Role role, int64_t block, at::ScalarType dtype) const {
  at::Tensor out = at::empty(impl_->required_entry(role, block).shape, dtype);
  load_into(role, block, out);
  return out;
}

void Checkpoint::load_into(Role role, int64_t block, const at::Tensor& out) const {
  const TensorEntry entry = impl_->required_entry(role, block);
  if (out.numel() != entry.element_count())
    throw Error(ErrorKind::kInvariant, text("tensor ", printable(entry.name), " has ",
                                            entry.element_count(), " values, not ", out.numel()));
  impl_->read(role, entry, 0, out.view({row_count(entry), entry.shape.back()}));
}

at::Tensor Checkpoint::load_rows(Role role, int64_t block, int64_t first, int64_t count,
                                 at::ScalarType dtype) const {
  const TensorEntry entry = impl_->required_entry(role, block);
  if (count < 0) throw Error(ErrorKind::kInvariant, text(count, " rows were asked for"));
  at::Tensor out = at::empty({count, entry.shape.back()}, dtype);
  impl_->read(role, entry, first, out);
  return out;
}

at::Tensor Checkpoint::load_stored(const TensorEntry& entry) const {
  const bool half = entry.type == StoredType::kF16;
  if (!half && entry.type != StoredType::kF32 && entry.type != StoredType::kBf16)
    throw Error(ErrorKind::kInvariant,
                text("tensor ", printable(entry.name), " is ", stored_type_name(entry.type),
                     "; F32, F16 and BF16 have a dtype of their own"));
  const at::ScalarType dtype = half                             ? at::kHalf
                               : entry.type == StoredType::kF32 ? at::kFloat
                                                                : at::kBFloat16;
  at::Tensor out = at::empty(entry.shape, at::TensorOptions().dtype(dtype));
  impl_->files.at(entry.file)
      .read(entry.begin, {static_cast<std::byte*>(out.data_ptr()), entry.size_bytes()});
  return out;
}

void Checkpoint::read_stored(const TensorEntry& entry, uint64_t first,
                             std::span<std::byte> out) const {
  if (first > entry.size_bytes() || out.size() > entry.size_bytes() - first)
    throw Error(ErrorKind::kInvariant,
                text("bytes ", first, " to ", first + out.size(), " of tensor ",
                     printable(entry.name), ", which has ", entry.size_bytes()));
  impl_->files.at(entry.file).read(entry.begin + first, out);
}

const std::string& Checkpoint::sha256(const std::stop_token& stop) const {
  const std::lock_guard one_at_a_time(impl_->hashing);
  if (impl_->hash.empty()) {
    std::string lines;
    for (const ModelFile& file : impl_->files) lines += file.sha256(stop) + "\n";
    impl_->hash = impl_->files.size() == 1 ? lines.substr(0, 64) : sha256_hex(lines);
  }
  return impl_->hash;
}

}  // namespace plumb::models
