#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "models/documents.h"

/// models/documents.h for one format more: CSV and Parquet with a column `text`, whose rows are documents in file
/// order. Everything else goes to models, which knows JSONL (also under C4's names .json.gz) and plain text.
namespace plumb::harness {

/// Gives the documents of a file to `visit`, one after the other, until there is none or it returns false. Errors as
/// read_documents, but that an empty file is none.
void visit_documents(const InputFile& file, const std::function<bool(models::Document)>& visit);

/// As models::read_documents; Document::line is the row, from 0. Error{kInput} also for a row without a text `text`.
std::vector<models::Document> read_documents(const std::filesystem::path& file);

/// As models::select_documents.
models::TokenBatch select_documents(const InputFile& file, const models::Tokenizer& tokenizer,
                                    int64_t max_tokens, int64_t limit, bool special_tokens = false);

}  // namespace plumb::harness
