#include "pruning/pruned_files.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "models/formats/gguf.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::array kCopied{"generation_config.json",
                             "tokenizer.json",
                             "tokenizer_config.json",
                             "special_tokens_map.json",
                             "added_tokens.json",
                             "vocab.json",
                             "merges.txt",
                             "tokenizer.model",
                             "chat_template.jinja",
                             "chat_template.json"};
constexpr std::array kLicences{"LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt"};
constexpr uintmax_t kLargest = uintmax_t{128} << 20;  // models/tokenizer's own limit

template <size_t count>
std::vector<SmallFile> copies(const fs::path& folder, const std::array<const char*, count>& names) {
  std::vector<SmallFile> files;
  for (const char* name : names) {
    std::error_code failed;
    const fs::path path = folder / name;
    if (!fs::exists(path, failed)) continue;
    if (const uintmax_t bytes = fs::file_size(path, failed); !failed && bytes > kLargest)
      throw Error(ErrorKind::kInput, text("'", name, "' has ", bytes, " bytes; at most ", kLargest,
                                          " are copied: it is no file of a tokenizer"));
    files.emplace_back(name, read_file(path));
  }
  return files;
}

std::optional<uint64_t> token_id(const models::GgufHeader& header, std::string_view key) {
  const auto found = header.metadata.find(key);
  if (found == header.metadata.end()) return std::nullopt;
  const auto* id = std::get_if<uint64_t>(&found->second);
  return id ? std::optional(*id) : std::nullopt;
}

std::string generation_config(const models::GgufHeader& header) {
  Json config{{"_from_model_config", true}};
  const std::array<std::pair<const char*, const char*>, 3> keys{
      {{"bos_token_id", "tokenizer.ggml.bos_token_id"},
       {"eos_token_id", "tokenizer.ggml.eos_token_id"},
       {"pad_token_id", "tokenizer.ggml.padding_token_id"}}};
  for (const auto& [name, key] : keys)
    if (const auto id = token_id(header, key)) config[name] = *id;
  return config.dump(2) + "\n";
}

/// Of what tokenizer_config.json says already, for readers that look for it here.
std::string special_tokens_map(const std::string& tokenizer_config) {
  const Json config = Json::parse(tokenizer_config);
  Json map = Json::object();
  for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token"})
    if (config.contains(key)) map[key] = config[key];
  return map.dump(2) + "\n";
}

std::vector<SmallFile> from_gguf(const models::GgufHeader& header, const fs::path& path) {
  std::vector<SmallFile> files{{"generation_config.json", generation_config(header)}};
  if (!header.metadata.contains("tokenizer.ggml.model")) return files;
  try {
    const auto tokenizer = models::Tokenizer::from_gguf(header);
    const std::string config = tokenizer.to_config_json();
    files.emplace_back("tokenizer.json", tokenizer.to_json());
    files.emplace_back("tokenizer_config.json", config);
    files.emplace_back("special_tokens_map.json", special_tokens_map(config));
  } catch (const Error& error) {
    throw error.within(path.filename().string());
  }
  return files;
}

/// A name fit for one line of Markdown.
std::string plain(std::string name) {
  std::erase_if(name, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 ||
           std::string_view("<>[]`\\*#|").find(c) != std::string_view::npos;
  });
  return name.substr(0, 200);
}

}  // namespace

std::vector<SmallFile> companion_files(const models::Checkpoint& checkpoint,
                                       const fs::path& model_path) {
  return checkpoint.is_gguf() ? from_gguf(*checkpoint.gguf_header(), model_path)
                              : copies(model_path, kCopied);
}

std::vector<SmallFile> licence_files(const models::Checkpoint& checkpoint,
                                     const fs::path& model_path, const std::string& removed) {
  std::vector<SmallFile> files;
  if (!checkpoint.is_gguf()) files = copies(model_path, kLicences);
  const models::ModelConfig& config = checkpoint.config();
  if (!config.license.empty())
    files.emplace_back(
        "README.md", text("---\nlicense: ", plain(config.license), "\n---\n\n", plain(config.name),
                          removed.empty() ? " with all its blocks" : " without blocks " + removed,
                          ", written by Plumb; plumb.json says from which file.\n"));
  return files;
}

}  // namespace plumb::pruning
