#include <array>
#include <span>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/remembered_hash.h"
#include "models/formats/model_file.h"
#include "models/formats/model_folder.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;

// In the order in which they are looked for.
constexpr std::array kNames{"tokenizer.json", "tokenizer.model", "qwen.tiktoken"};
// What is read beside any of them.
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kAddedTokens = "added_tokens.json";
constexpr const char* kChatTemplate = "chat_template.jinja";

bool is_gguf(const fs::path& file) {
  const InputFile opened(file);
  std::array<char, 4> magic{};
  if (opened.size() < magic.size()) return false;
  opened.read(0, std::as_writable_bytes(std::span(magic)));
  return std::string_view(magic.data(), magic.size()) == "GGUF";
}

void require_size(const fs::path& file) {
  // The largest vocabularies in use make files of 40 MB.
  constexpr uintmax_t kMaxFileBytes = uintmax_t{64} << 20;
  std::error_code unknown;
  const uintmax_t size = fs::file_size(file, unknown);
  if (!unknown && size > kMaxFileBytes)
    throw Error(ErrorKind::kInput, text(size, " bytes; a tokenizer's file of more than ",
                                        kMaxFileBytes, " bytes is refused"));
}

std::string read_beside(const fs::path& file, const char* name) {
  const fs::path path = file.parent_path() / name;
  if (!fs::exists(path)) return {};
  try {
    require_inside(file.parent_path(), path);
    require_size(path);
    return read_file(path);
  } catch (const Error& error) {
    throw error.within(name);
  }
}

TokenizerDefinition read(const fs::path& file) {
  const std::string config = read_beside(file, kConfig);
  if (file.extension() == ".tiktoken") return definition_from_tiktoken(read_file(file), config);
  if (file.extension() == ".model")
    return definition_from_sentencepiece(read_file(file),
                                         {config, read_beside(file, kAddedTokens)});
  return definition_from_json(read_file(file), config);
}

}  // namespace

fs::path tokenizer_file(const fs::path& model) {
  if (!fs::is_directory(model)) {
    const std::string extension = model.extension().string();
    if (extension == ".json" || extension == ".model" || extension == ".tiktoken" ||
        extension == ".gguf" || !fs::exists(model) || is_gguf(model))
      return model;
  }
  const fs::path folder = fs::is_directory(model) ? model : model.parent_path();
  std::string names;
  for (const char* name : kNames) {
    if (fs::exists(folder / name)) {
      require_inside(folder, folder / name);
      return folder / name;
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorKind::kInput, text("no tokenizer in ", in_quotes(folder.filename().string()),
                                      "; one of ", names, " is needed"));
}

std::string Tokenizer::sha256(const fs::path& model) {
  const fs::path file = tokenizer_file(model);
  const std::string extension = file.extension().string();
  std::string lines;
  if (extension == ".json" || extension == ".model" || extension == ".tiktoken") {
    const auto add = [&](const fs::path& path) {
      lines += text(path.filename().string(), " ", remembered_sha256(path), "\n");
    };
    add(file);
    for (const char* name : {kConfig, kAddedTokens, kChatTemplate})
      if (const fs::path path = file.parent_path() / name; fs::exists(path)) add(path);
  }
  return sha256_hex(lines);
}

TokenizerDefinition definition_of_file(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension != ".json" && extension != ".model" && extension != ".tiktoken") {
    return definition_from_gguf(parse_gguf(ModelFile(file)));
  }
  require_size(file);
  TokenizerDefinition definition = read(file);
  if (definition.chat_template.empty()) definition.chat_template = read_beside(file, kChatTemplate);
  return definition;
}

}  // namespace plumb::models
