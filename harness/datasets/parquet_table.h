#pragma once

#include <cstddef>
#include <cstdint>

/// What libplumb_parquet.so gives to the program: plain C functions, so that Arrow's headers and libraries stay on its
/// side. It is opened when a Parquet file is; see parquet_rows.cpp.
namespace plumb::harness {

/// Version of the table below; a plug-in built for another one is refused by name.
inline constexpr uint32_t kParquetTableVersion = 1;

/// Where a row goes, value by value: a row is a struct; a struct is begin_struct, then key and value in turns, then end;
/// a list is begin_list, its values, end. Functions must not throw.
struct ParquetSink {
  void* state = nullptr;
  void (*null)(void* state) = nullptr;
  void (*boolean)(void* state, bool value) = nullptr;
  void (*integer)(void* state, int64_t value) = nullptr;
  void (*natural)(void* state, uint64_t value) = nullptr;
  void (*real)(void* state, double value) = nullptr;
  void (*string)(void* state, const char* bytes, size_t size) = nullptr;  ///< UTF-8, checked
  void (*begin_list)(void* state) = nullptr;
  void (*begin_struct)(void* state) = nullptr;
  void (*key)(void* state, const char* bytes, size_t size) = nullptr;
  void (*end)(void* state) = nullptr;
};

/// Functions that fail write why into `reason` (ends in NUL, cut to `reason_size`). None throws. A file is used by one
/// thread at a time.
struct ParquetTable {
  uint32_t version = 0;
  const char* library = nullptr;  ///< "Arrow 26.0.1"

  /// Opens the file for the columns named (count 0: all); nullptr where that fails. The library gets at most
  /// `memory_limit` bytes for what it reads.
  void* (*open)(const char* path, const char* const* columns, size_t column_count,
                uint64_t memory_limit, char* reason, size_t reason_size) = nullptr;
  /// Gives the next row to the sink: 1; 0 at the end; -1 where that fails.
  int (*next)(void* file, const ParquetSink* sink, char* reason, size_t reason_size) = nullptr;
  void (*close)(void* file) = nullptr;
};

/// The one symbol that the plug-in exports: `extern "C" const plumb::harness::ParquetTable* plumb_parquet_table();`
inline constexpr const char* kParquetTableSymbol = "plumb_parquet_table";

}  // namespace plumb::harness
