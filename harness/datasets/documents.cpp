#include "harness/datasets/documents.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "harness/datasets/row_reader.h"
#include "models/document_reader.h"

namespace plumb::harness {
namespace {

class RowDocuments : public models::DocumentSource {
 public:
  explicit RowDocuments(const std::filesystem::path& file) : rows_(open_rows(file, {"text"})) {}

  std::optional<models::Document> next() override {
    auto row = rows_->next();
    if (!row) return std::nullopt;
    const auto field = row->find("text");
    if (field == row->end() || !field->is_string())
      throw Error(ErrorKind::kInput,
                  text(rows_->where(),
                       field == row->end() ? std::string(" has no column 'text'")
                                           : text(" has a 'text' of type ", field->type_name()),
                       "; needed is text in it"));
    return models::Document{count_++, std::move(field->get_ref<std::string&>())};
  }

 private:
  std::unique_ptr<RowReader> rows_;
  int64_t count_ = 0;
};

/// The documents of a table, or nothing for a file that models reads.
std::unique_ptr<models::DocumentSource> table_documents(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const bool table =
      name.ends_with(".csv") || name.ends_with(".csv.gz") || name.ends_with(".parquet");
  return table ? std::make_unique<RowDocuments>(file) : nullptr;
}

}  // namespace

void visit_documents(const InputFile& file, const std::function<bool(models::Document)>& visit) {
  const std::string name = file.path().filename().string();
  try {
    const auto all = [&](models::DocumentSource& documents) {
      while (auto document = documents.next())
        if (!visit(std::move(*document))) return;
    };
    if (const auto table = table_documents(file.path())) return all(*table);
    const MappedFile mapped(file);
    const auto bytes = mapped.bytes();
    models::DocumentReader documents(name,
                                     {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    all(documents);
  } catch (const Error& error) {
    throw error.within(name);
  }
}

std::vector<models::Document> read_documents(const std::filesystem::path& file) {
  const auto documents = table_documents(file);
  return documents ? models::read_documents(file, *documents) : models::read_documents(file);
}

models::TokenBatch select_documents(const InputFile& file, const models::Tokenizer& tokenizer,
                                    int64_t max_tokens, int64_t limit, bool special_tokens) {
  const auto documents = table_documents(file.path());
  return documents ? models::select_documents(file, *documents, tokenizer, max_tokens, limit,
                                              special_tokens)
                   : models::select_documents(file, tokenizer, max_tokens, limit, special_tokens);
}

}  // namespace plumb::harness
