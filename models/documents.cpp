#include "models/documents.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "models/document_reader.h"

namespace plumb::models {
namespace {

std::string_view text_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Calls `take` with each document until it says false.
template <typename Take>
void for_each_document(const MappedFile& file, Take take) {
  try {
    DocumentReader reader(file.path().filename(), text_of(file));
    while (auto document = reader.next())
      if (!take(std::move(*document))) return;
  } catch (const Error& error) {
    throw error.within(file.path().filename().string());
  }
}

}  // namespace

std::vector<Document> read_documents(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  std::vector<Document> documents;
  for_each_document(mapped, [&](Document document) {
    documents.push_back(std::move(document));
    return true;
  });
  if (documents.empty())
    throw Error(
        ErrorKind::kInput,
        text("'", file.string(), "' holds only blank lines; needed is at least one document"));
  return documents;
}

TokenBatch select_documents(const std::filesystem::path& file, const Tokenizer& tokenizer,
                            int64_t max_tokens, int64_t limit, bool special_tokens) {
  if (max_tokens < 1 || limit < 1)
    throw Error(ErrorKind::kUsage, text("max tokens ", max_tokens, " and limit ", limit,
                                        " were asked for; needed is at least 1 of each"));
  const MappedFile mapped(file);
  TokenBatch batch;
  batch.token_count = max_tokens;
  batch.file = file.filename().string();
  int64_t seen = 0;
  for_each_document(mapped, [&](const Document& document) {
    ++seen;
    const std::vector<int32_t> ids = tokenizer.encode(document.text, special_tokens);
    if (static_cast<int64_t>(ids.size()) < max_tokens) return true;
    batch.documents.push_back(document.line);
    batch.tokens.insert(batch.tokens.end(), ids.begin(), ids.begin() + max_tokens);
    return batch.size() < limit;
  });
  if (batch.size() < limit)
    throw Error(ErrorKind::kInput,
                text("'", file.string(), "' has ", batch.size(), " documents of at least ",
                     max_tokens, " tokens among its ", seen, "; needed are ", limit,
                     ": give a longer file, or lower --limit or --max-tokens"));
  batch.sha256 = sha256_hex(mapped.bytes());
  return batch;
}

}  // namespace plumb::models
