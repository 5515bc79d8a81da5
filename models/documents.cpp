#include "models/documents.h"

#include "base/error.h"
#include "base/file.h"
#include "base/remembered_hash.h"
#include "models/document_reader.h"

namespace plumb::models {
namespace {

std::string_view text_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// `use` with the documents of a file in one of the formats of models/documents.h.
template <typename Use>
auto with_documents(const InputFile& file, Use use) {
  const MappedFile mapped(file);
  const std::filesystem::path name = file.path().filename();
  std::optional<DocumentReader> documents;
  try {
    documents.emplace(name, text_of(mapped));
  } catch (const Error& error) {
    throw error.within(name.string());
  }
  return use(*documents);
}

/// The batch but for its hash.
TokenBatch select(const InputFile& file, DocumentSource& documents, const Tokenizer& tokenizer,
                  int64_t max_tokens, int64_t limit, bool special_tokens) {
  if (max_tokens < 1 || limit < 1)
    throw Error(ErrorKind::kUsage, text("max tokens ", max_tokens, " and limit ", limit,
                                        " were asked for; needed is at least 1 of each"));
  TokenBatch batch;
  batch.token_count = max_tokens;
  batch.file = file.path().filename().string();
  int64_t seen = 0;
  try {
    while (batch.size() < limit) {
      const auto document = documents.next();
      if (!document) break;
      ++seen;
      const std::vector<int32_t> ids = tokenizer.encode(document->text, special_tokens);
      if (static_cast<int64_t>(ids.size()) < max_tokens) continue;
      batch.documents.push_back(document->line);
      batch.tokens.insert(batch.tokens.end(), ids.begin(), ids.begin() + max_tokens);
    }
  } catch (const Error& error) {
    throw error.within(batch.file);
  }
  if (batch.size() < limit)
    throw Error(ErrorKind::kInput,
                text("'", file.path().string(), "' has ", batch.size(), " documents of at least ",
                     max_tokens, " tokens among its ", seen, "; needed are ", limit,
                     ": give a longer file, or lower --limit or --max-tokens"));
  return batch;
}

}  // namespace

std::vector<Document> read_documents(const std::filesystem::path& file) {
  return with_documents(InputFile(file),
                        [&](DocumentSource& documents) { return read_documents(file, documents); });
}

std::vector<Document> read_documents(const std::filesystem::path& file, DocumentSource& documents) {
  std::vector<Document> all;
  try {
    while (auto document = documents.next()) all.push_back(std::move(*document));
  } catch (const Error& error) {
    throw error.within(file.filename().string());
  }
  if (all.empty())
    throw Error(ErrorKind::kInput,
                text("'", file.string(), "' holds no document; needed is at least one"));
  return all;
}

TokenBatch select_documents(const InputFile& file, const Tokenizer& tokenizer, int64_t max_tokens,
                            int64_t limit, bool special_tokens) {
  return with_documents(file, [&](DocumentSource& documents) {
    TokenBatch batch = select(file, documents, tokenizer, max_tokens, limit, special_tokens);
    batch.sha256 = remembered_sha256(file);
    return batch;
  });
}

TokenBatch select_documents(const InputFile& file, DocumentSource& documents,
                            const Tokenizer& tokenizer, int64_t max_tokens, int64_t limit,
                            bool special_tokens) {
  TokenBatch batch = select(file, documents, tokenizer, max_tokens, limit, special_tokens);
  batch.sha256 = remembered_sha256(file);
  return batch;
}

}  // namespace plumb::models
