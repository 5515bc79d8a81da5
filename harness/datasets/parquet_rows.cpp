// Rows of Parquet files, read by the plug-in: opened on demand, so that the program needs no Arrow to start.

#include <dlfcn.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "harness/datasets/parquet_table.h"
#include "harness/datasets/row_formats.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "libplumb_parquet.so";
// As for gzip: prose shrinks by a factor of 3 to 5, so that a file asking for more than this is damaged or a trap.
constexpr uint64_t kAlwaysAllowed = uint64_t{64} << 20;
constexpr uint64_t kLargestExpansion = 200;

[[noreturn]] void fail(const std::string& why) {
  throw Error(ErrorKind::kResource,
              text("Parquet cannot be read here: ", why,
                   "; ./run builds it with the pinned Python package pyarrow "
                   "(CMake option PLUMB_ARROW_DIR names another), or convert the file to JSONL"));
}

fs::path plugin_file() {
  if (const char* named = std::getenv("PLUMB_PARQUET_PLUGIN"); named != nullptr && *named != '\0')
    return named;
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& file : {folder / kPlugin, folder.parent_path() / "lib" / "plumb" / kPlugin})
    if (fs::exists(file, ignored)) return file;
  fail(text("there is no '", kPlugin, "' beside the program"));
}

const ParquetTable& open_table() {
  const fs::path file = plugin_file();
  const std::string name = file.filename().string();
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    fail(text("'", name, "' does not load (", why != nullptr ? why : "unknown reason", ")"));
  }
  using TableFunction = const ParquetTable* (*)();
  const auto function = reinterpret_cast<TableFunction>(dlsym(library, kParquetTableSymbol));
  const ParquetTable* table = function != nullptr ? function() : nullptr;
  if (table == nullptr || table->version != kParquetTableVersion)
    fail(text("'", name, "' has table version ", table != nullptr ? table->version : 0,
              ", needed is ", kParquetTableVersion));
  return *table;
}

/// Opened once; it stays until the process ends. A failure is tried again by the next file.
const ParquetTable& parquet_table() {
  static const ParquetTable& table = open_table();
  return table;
}

/// Builds the value that the sink's calls describe. An open container is the last element of its parent, which does not
/// change meanwhile, so pointers into it stay valid.
class Builder {
 public:
  ParquetSink sink() {
    ParquetSink sink;
    sink.state = this;
    sink.null = [](void* self) { of(self).add(Row()); };
    sink.boolean = [](void* self, bool value) { of(self).add(value); };
    sink.integer = [](void* self, int64_t value) { of(self).add(value); };
    sink.natural = [](void* self, uint64_t value) { of(self).add(value); };
    sink.real = [](void* self, double value) { of(self).real(value); };
    sink.string = [](void* self, const char* bytes, size_t size) {
      of(self).add(std::string(bytes, size));
    };
    sink.begin_list = [](void* self) { of(self).begin(Row::array()); };
    sink.begin_struct = [](void* self) { of(self).begin(Row::object()); };
    sink.key = [](void* self, const char* bytes, size_t size) {
      of(self).key_.assign(bytes, size);
    };
    sink.end = [](void* self) { of(self).open_.pop_back(); };
    return sink;
  }

  Row take() {
    if (!fault_.empty()) throw Error(ErrorKind::kInput, std::exchange(fault_, ""));
    return std::move(root_);
  }
  void clear() {
    open_.clear();
    fault_.clear();
  }

 private:
  static Builder& of(void* self) { return *static_cast<Builder*>(self); }

  Row* add(Row value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Row& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    auto& members = static_cast<Row::object_t::Container&>(parent.get_ref<Row::object_t&>());
    members.emplace_back(key_, std::move(value));
    return &members.back().second;
  }

  void real(double value) {
    if (!std::isfinite(value) && fault_.empty())
      fault_ = text("'", key_, "' is ", value, ", which no JSON holds");
    add(value);
  }

  void begin(Row value) { open_.push_back(add(std::move(value))); }

  Row root_;
  std::vector<Row*> open_;
  std::string key_;
  std::string fault_;
};

class ParquetRows : public RowReader {
 public:
  ParquetRows(const fs::path& file, const std::vector<std::string>& columns)
      : table_(parquet_table()) {
    const std::string name = file.filename().string();
    const uint64_t bytes = MappedFile(file).bytes().size();
    std::vector<const char*> names;
    names.reserve(columns.size());
    for (const std::string& column : columns) names.push_back(column.c_str());
    std::array<char, 1024> reason{};
    file_ = table_.open(file.c_str(), names.data(), names.size(),
                        std::max(kAlwaysAllowed, kLargestExpansion * bytes), reason.data(),
                        reason.size());
    if (file_ == nullptr) throw unreadable(reason.data(), "").within(name);
  }
  ParquetRows(const ParquetRows&) = delete;
  ParquetRows& operator=(const ParquetRows&) = delete;
  ~ParquetRows() override { table_.close(file_); }

  std::optional<Row> next() override {
    std::array<char, 1024> reason{};
    builder_.clear();
    const ParquetSink sink = builder_.sink();
    const int given = table_.next(file_, &sink, reason.data(), reason.size());
    if (given < 0) throw unreadable(reason.data(), text(" after row ", row_));
    if (given == 0) return std::nullopt;
    ++row_;
    try {
      return builder_.take();
    } catch (const Error& error) {
      throw error.within(where());
    }
  }
  std::string where() const override { return text("row ", row_); }

 private:
  /// Arrow's words may hold bytes of the file.
  static Error unreadable(const char* reason, const std::string& place) {
    std::string words;
    for (const char* c = reason; *c != '\0'; ++c)
      words += *c >= ' ' && *c <= '~' ? *c : *c == '\n' ? ' ' : '?';
    return Error(ErrorKind::kInput, text("Parquet cannot be read", place, ": ", words));
  }

  const ParquetTable& table_;
  void* file_ = nullptr;
  Builder builder_;
  int64_t row_ = 0;
};

}  // namespace

std::unique_ptr<RowReader> parquet_rows(const fs::path& file,
                                        const std::vector<std::string>& columns) {
  return std::make_unique<ParquetRows>(file, columns);
}

}  // namespace plumb::harness
