#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "harness/datasets/row_reader.h"

/// The readers behind open_rows, one a format. Errors as there.
namespace plumb::harness {

std::unique_ptr<RowReader> json_rows(const std::filesystem::path& file);
std::unique_ptr<RowReader> csv_rows(const std::filesystem::path& file);
std::unique_ptr<RowReader> parquet_rows(const std::filesystem::path& file,
                                        const std::vector<std::string>& columns);

}  // namespace plumb::harness
