#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {

struct Document {
  int64_t line = 0;  ///< line number in the file (JSONL) or ordinal (plain text), from 0
  std::string text;
};

/// Reads a document file, gzip-compressed where it begins with gzip's mark (whatever its name):
///
///     JSONL       one object a line with a string `text`; further fields are ignored. Lines end at byte
///                 0x0A only; the last one may lack it. Chosen for names in .jsonl, .ndjson or .json,
///                 and for other names but .txt and .text when the first byte is '{'.
///     plain text  documents between blank lines (empty, or only spaces, tabs and CR), their lines
///                 joined by "\n".
///
/// Error{kInput} with file and line (from 1): a missing, empty or binary file (a NUL byte or
/// invalid UTF-8, with the byte's position from 0 after decompression), a blank line of JSONL, a
/// line that is no strict JSON object or has no string `text`, compressed data that are damaged,
/// cut short, or expand beyond 64 MiB and 200 times their size.
std::vector<Document> read_documents(const std::filesystem::path& file);

/// Documents cut to the same number of tokens.
struct TokenBatch {
  std::vector<int64_t> documents;  ///< line numbers, [B]
  std::vector<int64_t> tokens;     ///< [B, T], row-major
  int64_t token_count = 0;         ///< T
  std::string file;                ///< file name without folder
  std::string sha256;              ///< of the file's bytes, as they are on disk

  int64_t size() const { return static_cast<int64_t>(documents.size()); }
};

/// The first `limit` documents in file order with at least `max_tokens` tokens, cut to that; what
/// follows them is not looked at. Error{kInput} with the count when fewer qualify; Error{kUsage}
/// for limit or max_tokens below 1 (a loss needs max_tokens of at least 2, which its caller
/// checks).
TokenBatch select_documents(const InputFile& file, const Tokenizer& tokenizer, int64_t max_tokens,
                            int64_t limit, bool special_tokens = false);

}  // namespace plumb::models
