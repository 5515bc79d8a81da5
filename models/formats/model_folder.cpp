#include "models/formats/model_folder.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "models/formats/bounds.h"
#include "models/formats/json_events.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr uintmax_t kLongestIndex = 64u << 20;

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// {"metadata": {...}, "weight_map": {tensor: file}}. `total_size` in the metadata is a remark that
// writers fill in differently; the shards' own headers are what counts.
class IndexReader : public JsonEvents {
 public:
  std::map<std::string, std::string> weight_map;
  bool seen = false;

 private:
  bool in_map() const { return !path().empty() && path().front() == "weight_map"; }
  void on_object_begin() override {
    if (!in_map()) return;
    if (path().size() > 1 || array_depth() > 0) throw mistyped();
    if (seen) throw damaged("weight_map occurs twice");
    seen = true;
  }
  void on_array_begin() override {
    if (in_map()) throw mistyped();
  }
  void on_scalar(const JsonScalar& value) override {
    if (!in_map()) return;
    if (path().size() != 2 || value.kind != JsonScalar::Kind::kString) throw mistyped();
    require_safe_name(value.text);
    if (!weight_map.emplace(path()[1], value.text).second)
      throw damaged("weight_map names tensor ", printable(path()[1]), " twice");
  }
  Error mistyped() const {
    return damaged("weight_map must be an object of tensor names and file names; it is not at ",
                   printable(path().back()));
  }
};

Error nothing_found(const fs::path& folder) {
  std::string pickle, gguf;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    const std::string name = entry.path().filename().string();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt")
      pickle = std::max(pickle, name);
    if (extension == ".gguf") gguf = std::max(gguf, name);
  }
  if (!gguf.empty())
    return refusal("the folder has no ", kSingle, " but a GGUF file: name ", printable(gguf),
                   " itself");
  if (!pickle.empty())
    return refusal("the folder has no safetensors, only ", printable(pickle),
                   ", a pickle, which can run any code when "
                   "it is read; Plumb refuses it: save the model as safetensors");
  return refusal("the folder has neither ", kSingle, " nor ", kIndex, "; fetch the model again");
}

void require_shards(const fs::path& folder, const std::set<std::string>& names) {
  std::vector<std::string> missing;
  for (const std::string& name : names)
    if (!fs::is_regular_file(folder / name)) missing.push_back(name);
  if (!missing.empty())
    throw refusal(missing.size(), " of ", names.size(), " files that ", kIndex,
                  " names are missing, first ", printable(missing.front()),
                  "; fetch the model again");
}

}  // namespace

void require_safe_name(std::string_view name) {
  bool start = true;
  for (const char c : name) {
    const bool allowed =
        is_alphanumeric(c) || (!start && (c == '.' || c == '_' || c == '-' || c == '/'));
    if (!allowed) break;
    start = c == '/';
    name.remove_prefix(1);
  }
  if (!name.empty() || start)
    throw refusal("a file name is empty or not allowed at ", printable(name),
                  "; plain relative names of letters, digits, '.', '_' and '-' are");
}

void require_inside(const fs::path& folder, const fs::path& file) {
  std::error_code failed;
  const fs::path root = fs::canonical(folder.empty() ? fs::path(".") : folder, failed);
  const fs::path target = failed ? fs::path() : fs::canonical(file, failed);
  if (failed)
    throw refusal("cannot resolve ", printable(file.filename().string()), ": ", failed.message());
  const auto within = [&](const fs::path& parent) {
    return std::mismatch(parent.begin(), parent.end(), target.begin(), target.end()).first ==
           parent.end();
  };
  const bool cache = root.parent_path().filename() == "snapshots";
  if (!within(root) && !(cache && within(root.parent_path().parent_path() / "blobs")))
    throw refusal(printable(file.filename().string()),
                  " is a symbolic link that leaves the model's folder; "
                  "put the file itself there");
}

std::map<std::string, std::string> parse_index(std::string_view json) {
  IndexReader index;
  index.read(json, 16);
  if (index.weight_map.empty()) throw damaged("the index has no weight_map, or an empty one");
  for (const auto& [tensor, file] : index.weight_map)
    if (!file.ends_with(".safetensors"))
      throw refusal("tensor ", printable(tensor), " is in ", printable(file),
                    ", which is no .safetensors file; Plumb reads no other: save the model as "
                    "safetensors");
  return std::move(index.weight_map);
}

FolderWeights find_weights(const fs::path& folder) {
  FolderWeights found;
  if (fs::exists(folder / kSingle)) {
    require_inside(folder, folder / kSingle);
    found.files.push_back(folder / kSingle);
    return found;
  }
  if (!fs::exists(folder / kIndex)) throw nothing_found(folder);
  try {
    if (fs::file_size(folder / kIndex) > kLongestIndex)
      throw refusal("the index is larger than ", kLongestIndex, " bytes");
    require_inside(folder, folder / kIndex);
    const auto weight_map = parse_index(read_file(folder / kIndex));
    std::set<std::string> names;
    for (const auto& [tensor, file] : weight_map) names.insert(file);
    require_shards(folder, names);
    for (const std::string& name : names) {
      require_inside(folder, folder / name);
      found.files.push_back(folder / name);
    }
    for (const auto& [tensor, file] : weight_map)
      found.file_of[tensor] = static_cast<size_t>(std::distance(names.begin(), names.find(file)));
  } catch (const Error& error) {
    throw error.within(std::string(kIndex));
  }
  return found;
}

std::string license_of_folder(const fs::path& folder) {
  const fs::path readme = folder / "README.md";
  std::error_code failed;
  if (!fs::is_regular_file(readme, failed) || fs::file_size(readme, failed) > (4u << 20)) return {};
  require_inside(folder, readme);
  const std::string content = read_file(readme);
  if (!content.starts_with("---\n")) return {};
  const std::string matter = content.substr(3, content.find("\n---", 3) - 3);
  constexpr std::string_view kKey = "\nlicense:";
  const size_t at = matter.find(kKey);
  if (at == std::string::npos) return {};
  const size_t begin = at + kKey.size();
  std::string license = matter.substr(begin, matter.find('\n', begin) - begin);
  std::erase_if(license, [](char c) { return c == ' ' || c == '"' || c == '\'' || c == '\r'; });
  const bool plain =
      license.size() <= 64 && std::all_of(license.begin(), license.end(), [](char c) {
        return is_alphanumeric(c) || c == '.' || c == '-' || c == '+' || c == '_';
      });
  return plain ? license : std::string();
}

}  // namespace plumb::models
