#include "harness/cli/model_series.h"

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "harness/cli/console.h"
#include "harness/pipeline/file_names.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/stage_cache.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string label_of(const std::string& name) {
  std::string words;
  if (means_hub(name)) {
    words = name.substr(0, name.find('@'));
    words.replace(words.find('/'), 1, "--");
  } else {
    const fs::path path = fs::path(name).lexically_normal();
    words = (path.has_filename() ? path : path.parent_path()).filename().string();
  }
  for (char& c : words)
    if (kFileNameCharacters.find(c) == std::string_view::npos) c = '_';
  if (words.empty() || words.front() == '.') words.insert(0, "_");
  return words;
}

fs::path stamp_of(const fs::path& folder) { return folder / ".stages" / "sweep.finished"; }

Json stamp(const fs::path& folder, const Json& key) {
  return {{"key", key}, {"sweep.json", sha256_of_file(folder / "sweep.json")}};
}

/// Nothing where no model has the file.
std::string joined(const fs::path& folder, const std::vector<SeriesModel>& models,
                   const std::string& name) {
  std::vector<std::string> header;
  std::string out;
  for (const SeriesModel& model : models) {
    const fs::path file = folder / model.label / name;
    if (!fs::exists(file)) continue;
    auto rows = parse_csv(read_file(file));
    if (header.empty()) header = rows.front();
    if (rows.front() != header)
      throw Error(ErrorKind::kInput,
                  text("'", file.string(), "' has other columns than another model's ", name,
                       "; give --fresh, so that this version makes all of them"));
    std::vector<std::string> columns = header;
    columns.insert(columns.begin(), "model");
    CsvTable table(columns);
    const size_t head = table.str().size();
    for (size_t r = 1; r < rows.size(); ++r) {
      table.cell(model.label);
      for (const std::string& cell : rows[r]) table.cell(cell);
      table.end_row();
    }
    out += out.empty() ? table.str() : table.str().substr(head);
  }
  return out;
}

}  // namespace

std::vector<SeriesModel> series_models(const std::vector<std::string>& names) {
  std::vector<SeriesModel> out;
  for (const std::string& name : names) {
    out.push_back({name, label_of(name)});
    for (size_t i = 0; i + 1 < out.size(); ++i)
      if (out[i].label == out.back().label)
        throw Error(ErrorKind::kUsage,
                    text("the models '", printable(out[i].name), "' and '", printable(name),
                         "' would both be written to '", out[i].label,
                         "'; give each once, or link one to another name"));
  }
  return out;
}

bool stands(const fs::path& folder, const Json& key) {
  const std::optional<Json> known = read_with_checksum(stamp_of(folder));
  return known && fs::exists(folder / "sweep.json") && *known == stamp(folder, key);
}

void remember_results(const fs::path& folder, const Json& key) {
  fs::create_directories(stamp_of(folder).parent_path());
  write_file_atomically(stamp_of(folder), with_checksum(stamp(folder, key)));
}

std::vector<NamedFile> joined_tables(const fs::path& folder,
                                     const std::vector<SeriesModel>& models) {
  std::vector<NamedFile> out;
  for (const char* name : {"loss.csv", "accuracy.csv"})
    if (std::string table = joined(folder, models, name); !table.empty())
      out.emplace_back(name, std::move(table));
  return out;
}

}  // namespace plumb::harness
