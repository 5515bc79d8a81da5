#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/documents.h"

namespace plumb::models {

/// The bytes of a file piece by piece, decompressed where they are gzip's.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// The next bytes, valid until the next call; empty at the end.
  virtual std::string_view next() = 0;
};

/// Bytes that stand in memory as a whole.
std::unique_ptr<ByteSource> plain_source(std::string_view bytes);
/// gzip's bytes, several members one after the other allowed. `next` throws Error{kInput} for
/// damaged or cut data and for an expansion beyond max(64 MiB, 200 times the compressed size):
/// prose shrinks by a factor of 3 to 5.
std::unique_ptr<ByteSource> gzip_source(std::string_view compressed);

/// Lines of a source, without their 0x0A, checked to be UTF-8 without NUL and no longer than 64 MiB.
class LineReader {
 public:
  explicit LineReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  /// The next line, or none at the end. Error{kInput} for a binary or a longer one.
  std::optional<std::string> next();
  int64_t line() const { return line_; }  ///< number of the line given last, from 1

 private:
  void require_text(std::string_view line) const;

  std::unique_ptr<ByteSource> source_;
  std::string_view piece_;
  bool ended_ = false;
  int64_t line_ = 0;
  uint64_t line_begin_ = 0;  ///< byte at which the line given last begins
  uint64_t next_begin_ = 0;
};

/// Position of the first byte of `text` that is NUL or no valid UTF-8 (RFC 3629), or none.
std::optional<size_t> first_binary_byte(std::string_view text);

/// Documents, one after the other. What reads them out of a format that models does not know (rows
/// of a table, see harness/datasets) implements it too.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  /// The next document, or none at the end. Error{kInput} with where in the file it is.
  virtual std::optional<Document> next() = 0;
};

/// What the functions of models/documents.h do, with the documents of `file` out of `documents`.
std::vector<Document> read_documents(const std::filesystem::path& file, DocumentSource& documents);
TokenBatch select_documents(const InputFile& file, DocumentSource& documents,
                            const Tokenizer& tokenizer, int64_t max_tokens, int64_t limit,
                            bool special_tokens);

/// Documents of a file, one after the other; errors as read_documents, but without the file's name.
class DocumentReader : public DocumentSource {
 public:
  DocumentReader(const std::filesystem::path& name, std::string_view bytes);
  std::optional<Document> next() override;

 private:
  std::optional<Document> next_json();
  std::optional<Document> next_plain();

  LineReader lines_;
  bool json_ = false;
  std::optional<std::string> peeked_;
  int64_t count_ = 0;
};

}  // namespace plumb::models
