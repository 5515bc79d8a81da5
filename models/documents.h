#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace plumb::models {

struct Document {
  int64_t line = 0;  ///< line number in the file (JSONL) or ordinal (plain text), from 0
  std::string text;
};

/// Reads JSONL (a `text` field a line, lines end at byte 0x0A only, .gz allowed) or plain text (documents between blank
/// lines). Error{kInput}: missing, empty or binary file, a blank line of JSONL with its number, a line that is no JSON
/// object or has no string `text`.
std::vector<Document> read_documents(const std::filesystem::path& file);

/// Documents cut to the same number of tokens.
struct TokenBatch {
  std::vector<int64_t> documents;  ///< line numbers, [B]
  std::vector<int64_t> tokens;     ///< [B, T], row-major
  int64_t token_count = 0;         ///< T
  std::string file;                ///< file name without folder
  std::string sha256;              ///< of the file's bytes

  int64_t size() const { return static_cast<int64_t>(documents.size()); }
};

/// The first `limit` documents in file order with at least `max_tokens` tokens, cut to that. Error{kInput} with the
/// count when fewer qualify; Error{kUsage} for limit or max_tokens below 1 (max_tokens below 2 for a loss).
TokenBatch select_documents(const std::filesystem::path& file, const Tokenizer& tokenizer,
                            int64_t max_tokens, int64_t limit, bool special_tokens = false);

}  // namespace plumb::models
