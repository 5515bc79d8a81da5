#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/testing.h"
#include "harness/datasets/row_reader.h"

/// Helpers of the tests of data sets alone.
namespace plumb::harness::testing {

namespace fs = std::filesystem;

inline const fs::path kDatasetFiles = fs::path(PLUMB_SOURCE_DIR) / "fixtures/golden/datasets";

inline fs::path written(const fs::path& file, std::string_view bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
  return file;
}

inline std::vector<Row> rows_of(const fs::path& file,
                                const std::vector<std::string>& columns = {}) {
  std::vector<Row> rows;
  const auto reader = open_rows(file, columns);
  while (auto row = reader->next()) rows.push_back(std::move(*row));
  return rows;
}

inline std::string gzipped(std::string_view bytes, int level = 6) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Why Parquet cannot be read by this build on this machine; empty where it can.
inline std::string no_parquet() {
  try {
    open_rows(kDatasetFiles / "types.parquet");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kResource) return error.what();
  }
  return "";
}

/// A Python with pyarrow: the one that PLUMB_TEST_PYTHON names, the one that carries the Arrow of this build, or python3;
/// empty where none has it.
inline std::string python_with_pyarrow() {
  const char* named = std::getenv("PLUMB_TEST_PYTHON");
  for (const std::string& python :
       {std::string(named != nullptr ? named : ""),
        (fs::path(PLUMB_SOURCE_DIR) / ".plumb/python/bin/python").string(),
        std::string("python3")}) {
    const std::string test = "'" + python + "' -c 'import pyarrow.parquet' > /dev/null 2>&1";
    if (!python.empty() && std::system(test.c_str()) == 0) return python;
  }
  return "";
}

}  // namespace plumb::harness::testing
