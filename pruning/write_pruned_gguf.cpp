#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <system_error>

#include "base/error.h"
#include "base/output_file.h"
#include "pruning/apply.h"
#include "pruning/pruned_gguf.h"
#include "pruning/weight_pieces.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using models::TensorSlot;

constexpr std::string_view kRopeFactors = "rope_freqs.weight";

void require_new(const fs::path& file) {
  if (file.extension() != ".gguf")
    throw Error(ErrorKind::kUsage, text("'", file.string(), "' is no name of a GGUF file, which ",
                                        "ends in .gguf; a folder is what safetensors go to"));
  std::error_code unknown;
  if (fs::exists(fs::symlink_status(file, unknown)))
    throw Error(ErrorKind::kUsage,
                text("'", file.string(), "' exists; name a file that is not there yet"));
}

/// Another name beside the file, which `place` turns into its own.
class Beside {
 public:
  explicit Beside(const fs::path& file) : file_(file) {
    static std::atomic<uint64_t> counter{0};
    folder_ = file.has_parent_path() ? file.parent_path() : fs::path(".");
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed)
      throw Error(ErrorKind::kResource,
                  text("cannot make '", folder_.string(), "': ", failed.message()));
    temporary_ = folder_ / text('.', file.filename().string(), '.', ::getpid(), '.',
                                counter.fetch_add(1), ".tmp");
  }
  const fs::path& folder() const { return folder_; }
  const fs::path& path() const { return temporary_; }

  void place() const {
    std::error_code failed, ignored;
    fs::rename(temporary_, file_, failed);
    if (failed) {
      fs::remove(temporary_, ignored);
      throw Error(ErrorKind::kResource,
                  text("cannot put '", file_.string(), "' into place: ", failed.message()));
    }
    sync_folder(folder_);
  }

 private:
  fs::path file_, folder_, temporary_;
};

/// The factors that the whole file has, or those that the config's scaling amounts to; as bytes.
std::vector<std::byte> rope_factors(const models::Checkpoint& checkpoint) {
  std::vector<std::byte> bytes;
  if (checkpoint.is_gguf()) {
    const auto& all = checkpoint.tensors();
    const auto found = std::ranges::find(all, kRopeFactors, &models::TensorEntry::name);
    if (found == all.end()) return {};
    bytes.resize(found->size_bytes());
    checkpoint.read_stored(*found, 0, bytes);
    return bytes;
  }
  const std::vector<float> made = gguf_rope_factors(checkpoint);
  const auto view = std::as_bytes(std::span(made));
  return {view.begin(), view.end()};
}

}  // namespace

double write_pruned_gguf(const models::Checkpoint& checkpoint, const fs::path& model_path,
                         const PruningPlan& plan, const fs::path& file, bool bf16,
                         const std::function<void()>& between, const models::Origin& origin,
                         const WeightChange& change) {
  require_plan_of(checkpoint, plan);
  require_new(file);
  const auto tensors = plan_gguf(checkpoint, plan, bf16, change);
  models::GgufFields metadata = gguf_metadata(checkpoint, model_path, plan, tensors);
  using Json = nlohmann::ordered_json;
  const Json said = provenance(checkpoint, plan, {file.filename().string()}, origin);
  metadata.emplace_back("plumb.provenance", models::GgufField::words(said.dump(
                                                -1, ' ', false, Json::error_handler_t::replace)));
  const auto factors = rope_factors(checkpoint);
  std::vector<TensorSlot> slots;
  if (!factors.empty())
    slots.push_back({std::string(kRopeFactors),
                     models::StoredType::kF32,
                     {static_cast<int64_t>(factors.size() / sizeof(float))}});
  uint64_t bytes = 0;
  for (const GgufTensor& tensor : tensors) {
    slots.push_back(tensor.slot);
    bytes += tensor.slot.size_bytes();
  }
  const Beside beside(file);
  require_space(beside.folder(), beside.folder(), bytes);
  models::GgufWriter writer(beside.path(), metadata, slots);
  writer.write(factors);
  double error = 0;
  for (const GgufTensor& tensor : tensors)
    error = std::max(error, write_gguf_tensor(checkpoint, tensor, writer, between, change));
  if (between) between();
  writer.finish();
  beside.place();
  return error;
}

}  // namespace plumb::pruning
