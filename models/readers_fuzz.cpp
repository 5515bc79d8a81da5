#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>

#include "base/error.h"
#include "models/formats/config_sources.h"
#include "models/formats/gguf.h"
#include "models/formats/model_folder.h"
#include "models/formats/safetensors.h"
#include "models/fuzz_targets.h"
#include "models/tokenizer/sentencepiece.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kText = "The caf\u00e9 s  12345 <s></s>\n\n \u6df1\U0001f600!";

template <typename Read>
void expect_read_or_refused(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput) throw;
    if (std::string_view(error.what()).find('\n') != std::string_view::npos)
      throw std::logic_error("an error of two lines");
  }
}

void require_inside(const TensorEntries& tensors, std::string_view bytes) {
  for (const TensorEntry& entry : tensors)
    if (entry.begin > entry.end || entry.end > bytes.size() ||
        entry.size_bytes() != stored_bytes(entry.name, entry.shape, entry.type))
      throw std::logic_error("a tensor that is not where it was said to be");
}

std::span<const std::byte> as_bytes(std::string_view bytes) {
  return std::as_bytes(std::span(bytes));
}

/// A folder of this process, gone with it: a tokenizer is opened by its name.
struct Scratch {
  fs::path path = fs::temp_directory_path() / text("plumb_fuzz_", ::getpid());
  Scratch() { fs::create_directories(path); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

fs::path written(std::string_view bytes, const char* name) {
  static const Scratch scratch;
  std::ofstream(scratch.path / name, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return scratch.path / name;
}

}  // namespace

void safetensors(std::string_view bytes) {
  expect_read_or_refused(
      [&] { require_inside(parse_safetensors(as_bytes(bytes)).tensors, bytes); });
}

void gguf(std::string_view bytes) {
  expect_read_or_refused([&] {
    const GgufHeader header = parse_gguf(as_bytes(bytes));
    require_inside(header.tensors, bytes);
    expect_read_or_refused([&] { config_from_gguf(header); });
    Tokenizer::from_gguf(header).encode(kText);
  });
}

void index(std::string_view bytes) {
  expect_read_or_refused([&] {
    for (const auto& [tensor, file] : parse_index(bytes))
      if (file.starts_with('/') || file.find("..") == 0 || file.find("/..") != std::string::npos)
        throw std::logic_error("a file name that leaves the folder");
  });
}

void config(std::string_view bytes) {
  expect_read_or_refused([&] { config_from_json(bytes); });
}

void tokenizer(std::string_view bytes) {
  expect_read_or_refused([&] {
    const Tokenizer made = Tokenizer::open(written(bytes, "tokenizer.json"));
    made.decode(made.encode(kText, true));
  });
}

void sentencepiece(std::string_view bytes) {
  expect_read_or_refused([&] {
    std::vector<int32_t> ids;
    SentencePiece(std::string(bytes)).encode(kText, true, ids);
  });
}

}  // namespace plumb::models::fuzz
