#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "models/tokenizer/tokenizer.h"

namespace plumb::harness {

/// Token ids of a file: one JSON array per line of the input, in order.
struct TokenizedFile {
  std::string json_lines;
  int64_t lines = 0;
  int64_t tokens = 0;
};

/// A name with ".json" in it (.jsonl, .jsonl.gz, .ndjson) is JSONL: the ids of every line's `text`. Any other file is
/// text: the ids of every line as it stands, without its line end; an empty line gives []. Error{kInput} with the line.
TokenizedFile tokenize_file(const std::filesystem::path& file, const models::Tokenizer& tokenizer,
                            bool special_tokens);

}  // namespace plumb::harness
