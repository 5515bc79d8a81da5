// libplumb_parquet.so: the only source with Arrow's headers. Everything that is thrown here is caught here, and what
// Arrow has read is checked in full before it is walked: a file may be damaged anywhere.

#include <arrow/api.h>
#include <arrow/memory_pool.h>
#include <arrow/util/config.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/properties.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "harness/datasets/parquet_table.h"

namespace plumb::harness {
namespace {

constexpr int64_t kRowsAtOnce = 64;
constexpr int kDeepest = 32;
constexpr int32_t kLargestFooterList = 1'000'000;

/// Why a file cannot be read; leaves this source as text.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void require(const arrow::Status& status) {
  if (!status.ok()) throw Refused(status.message());
}

template <typename T>
T require(arrow::Result<T> result) {
  require(result.status());
  return std::move(result).ValueUnsafe();
}

/// `action`, or -- where it throws -- `failed` and the reason.
template <typename Action, typename Result>
Result guarded(char* reason, size_t reason_size, Result failed, Action action) noexcept {
  const auto say = [&](const char* what) {
    if (reason_size == 0) return;
    std::strncpy(reason, what, reason_size - 1);
    reason[reason_size - 1] = '\0';
  };
  try {
    return action();
  } catch (const std::bad_alloc&) {
    say("there is no memory for what it asks for");
  } catch (const std::exception& error) {
    say(error.what());
  } catch (...) {
    say("unknown reason");
  }
  return failed;
}

/// Error where a value of the type has no JSON; `name` is the column's.
void require_readable(const arrow::DataType& type, const std::string& name, int depth = 0) {
  if (depth > kDeepest) throw Refused("column '" + name + "' is nested too deeply");
  switch (type.id()) {
    case arrow::Type::NA:
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
      return;
    case arrow::Type::DICTIONARY:
      return require_readable(*static_cast<const arrow::DictionaryType&>(type).value_type(), name,
                              depth + 1);
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
    case arrow::Type::STRUCT:
      for (const auto& field : type.fields()) require_readable(*field->type(), name, depth + 1);
      return;
    default:
      throw Refused("column '" + name + "' is of type " + type.ToString() +
                    "; needed are strings, numbers, bools, and lists and structs of these");
  }
}

class Walk {
 public:
  explicit Walk(const ParquetSink& sink) : sink_(sink) {}

  void row(const arrow::RecordBatch& batch, int64_t i) const {
    sink_.begin_struct(sink_.state);
    for (int column = 0; column < batch.num_columns(); ++column) {
      key(batch.column_name(column));
      value(*batch.column(column), i);
    }
    sink_.end(sink_.state);
  }

 private:
  void key(const std::string& name) const { sink_.key(sink_.state, name.data(), name.size()); }

  void value(const arrow::Array& array, int64_t i) const {
    if (array.IsNull(i)) return sink_.null(sink_.state);
    switch (array.type_id()) {
      case arrow::Type::BOOL:
        return sink_.boolean(sink_.state, as<arrow::BooleanArray>(array).Value(i));
      case arrow::Type::INT8:
        return sink_.integer(sink_.state, as<arrow::Int8Array>(array).Value(i));
      case arrow::Type::INT16:
        return sink_.integer(sink_.state, as<arrow::Int16Array>(array).Value(i));
      case arrow::Type::INT32:
        return sink_.integer(sink_.state, as<arrow::Int32Array>(array).Value(i));
      case arrow::Type::INT64:
        return sink_.integer(sink_.state, as<arrow::Int64Array>(array).Value(i));
      case arrow::Type::UINT8:
        return sink_.natural(sink_.state, as<arrow::UInt8Array>(array).Value(i));
      case arrow::Type::UINT16:
        return sink_.natural(sink_.state, as<arrow::UInt16Array>(array).Value(i));
      case arrow::Type::UINT32:
        return sink_.natural(sink_.state, as<arrow::UInt32Array>(array).Value(i));
      case arrow::Type::UINT64:
        return sink_.natural(sink_.state, as<arrow::UInt64Array>(array).Value(i));
      case arrow::Type::FLOAT:
        return sink_.real(sink_.state, double{as<arrow::FloatArray>(array).Value(i)});
      case arrow::Type::DOUBLE:
        return sink_.real(sink_.state, as<arrow::DoubleArray>(array).Value(i));
      case arrow::Type::STRING:
        return string(as<arrow::StringArray>(array).GetView(i));
      case arrow::Type::LARGE_STRING:
        return string(as<arrow::LargeStringArray>(array).GetView(i));
      default:
        return nested(array, i);
    }
  }

  void nested(const arrow::Array& array, int64_t i) const {
    switch (array.type_id()) {
      case arrow::Type::DICTIONARY: {
        const auto& words = as<arrow::DictionaryArray>(array);
        return value(*words.dictionary(), words.GetValueIndex(i));
      }
      case arrow::Type::LIST:
        return list(as<arrow::ListArray>(array), i);
      case arrow::Type::LARGE_LIST:
        return list(as<arrow::LargeListArray>(array), i);
      case arrow::Type::FIXED_SIZE_LIST:
        return list(as<arrow::FixedSizeListArray>(array), i);
      case arrow::Type::STRUCT: {
        const auto& members = as<arrow::StructArray>(array);
        sink_.begin_struct(sink_.state);
        for (int field = 0; field < members.num_fields(); ++field) {
          key(members.struct_type()->field(field)->name());
          value(*members.field(field), i);
        }
        return sink_.end(sink_.state);
      }
      default:
        throw Refused("a value is of type " + array.type()->ToString());
    }
  }

  template <typename List>
  void list(const List& array, int64_t i) const {
    sink_.begin_list(sink_.state);
    const int64_t begin = array.value_offset(i), size = array.value_length(i);
    for (int64_t k = 0; k < size; ++k) value(*array.values(), begin + k);
    sink_.end(sink_.state);
  }

  void string(std::string_view bytes) const {
    sink_.string(sink_.state, bytes.data(), bytes.size());
  }

  template <typename T>
  static const T& as(const arrow::Array& array) {
    return static_cast<const T&>(array);
  }

  const ParquetSink& sink_;
};

/// An open file. Members are destroyed from the last: what has memory before the pool.
class File {
 public:
  File(const char* path, const std::vector<std::string_view>& columns, uint64_t memory_limit)
      : pool_(arrow::system_memory_pool(), static_cast<int64_t>(memory_limit)) {
    parquet::ReaderProperties properties(&pool_);
    properties.enable_buffered_stream();  // a page at a time, not a whole column chunk
    properties.set_thrift_string_size_limit(
        static_cast<int32_t>(std::min<uint64_t>(memory_limit, static_cast<uint64_t>(INT32_MAX))));
    properties.set_thrift_container_size_limit(kLargestFooterList);
    properties.set_page_checksum_verification(true);
    parquet::ArrowReaderProperties rows(/*use_threads=*/false);
    rows.set_batch_size(kRowsAtOnce);
    rows.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    require(builder.OpenFile(path, /*memory_map=*/false, properties));
    builder.memory_pool(&pool_)->properties(rows);
    reader_ = require(builder.Build());
    std::vector<int> groups(static_cast<size_t>(reader_->num_row_groups()));
    for (size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<int>(i);
    batches_ = require(reader_->GetRecordBatchReader(groups, leaves_of(columns)));
    for (const auto& field : batches_->schema()->fields())
      require_readable(*field->type(), field->name());
  }

  /// Whether there was a row left.
  bool next(const ParquetSink& sink) {
    while (batch_ == nullptr || at_ == batch_->num_rows()) {
      batch_.reset();
      at_ = 0;
      require(batches_->ReadNext(&batch_));
      if (batch_ == nullptr) return false;
      require(batch_->ValidateFull());
    }
    Walk(sink).row(*batch_, at_++);
    return true;
  }

 private:
  using Field = parquet::arrow::SchemaField;

  static void add_leaves(const Field& field, std::vector<int>& leaves) {
    if (field.is_leaf()) leaves.push_back(field.column_index);
    for (const Field& child : field.children) add_leaves(child, leaves);
  }

  /// The leaf columns below the columns named, all where none is.
  std::vector<int> leaves_of(const std::vector<std::string_view>& columns) const {
    const std::vector<Field>& fields = reader_->manifest().schema_fields;
    std::vector<int> leaves;
    std::string names;
    for (size_t i = 0; i < fields.size(); ++i) {
      const std::string& name = fields[i].field->name();
      names += (i == 0 ? "" : ", ") + name;
      for (size_t k = 0; k < i; ++k)
        if (fields[k].field->name() == name) throw Refused("two columns are named '" + name + "'");
      if (columns.empty() || std::find(columns.begin(), columns.end(), name) != columns.end())
        add_leaves(fields[i], leaves);
    }
    for (const std::string_view column : columns) {
      const auto same = [&](const Field& field) { return field.field->name() == column; };
      if (std::none_of(fields.begin(), fields.end(), same))
        throw Refused("it has no column '" + std::string(column) + "'; it has " + names);
    }
    if (leaves.empty()) throw Refused("it has no columns");
    return leaves;
  }

  arrow::CappedMemoryPool pool_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t at_ = 0;
};

void* open(const char* path, const char* const* columns, size_t column_count, uint64_t memory_limit,
           char* reason, size_t reason_size) {
  return guarded(reason, reason_size, static_cast<void*>(nullptr), [&]() -> void* {
    return new File(path, {columns, columns + column_count}, memory_limit);
  });
}

int next(void* file, const ParquetSink* sink, char* reason, size_t reason_size) {
  return guarded(reason, reason_size, -1,
                 [&] { return static_cast<File*>(file)->next(*sink) ? 1 : 0; });
}

void close(void* file) { delete static_cast<File*>(file); }

constexpr ParquetTable kTable{kParquetTableVersion, "Arrow " ARROW_VERSION_STRING, open, next,
                              close};

}  // namespace
}  // namespace plumb::harness

extern "C" __attribute__((visibility("default"))) const plumb::harness::ParquetTable*
plumb_parquet_table();

const plumb::harness::ParquetTable* plumb_parquet_table() { return &plumb::harness::kTable; }
