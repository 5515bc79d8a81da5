#include "harness/datasets/preset.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/experiment/embedded.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;
using Kind = PresetField::Kind;

constexpr std::pair<const char*, Kind> kKinds[] = {
    {"text", Kind::kText},
    {"texts", Kind::kTexts},
    {"columns", Kind::kColumns},
    {"index", Kind::kIndex},
    {"label", Kind::kLabel},
    {"truth", Kind::kTruth},
    {"hellaswag_context", Kind::kHellaswagContext},
    {"hellaswag_endings", Kind::kHellaswagEndings},
};

std::vector<std::string> strings(const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

PresetField parse_field(const std::string& name, const Json& json) {
  require_known_keys(json,
                     {"text", "texts", "columns", "index", "label", "truth", "hellaswag_context",
                      "hellaswag_endings", "among", "first", "count", "with"},
                     "fields." + name);
  PresetField field;
  field.name = name;
  for (const auto& [word, kind] : kKinds) {
    if (!json.contains(word)) continue;
    if (!field.columns.empty()) throw Error(ErrorKind::kUsage, "a field of two kinds");
    field.kind = kind;
    field.columns = strings(json.at(word));
  }
  if (field.columns.empty()) throw Error(ErrorKind::kUsage, "a field without a kind");
  if (field.kind == Kind::kLabel) field.columns.push_back(json.at("among"));
  field.first = json.value("first", int64_t{0});
  if (json.contains("count")) field.count = json.at("count");
  field.with = json.value("with", "");
  return field;
}

PresetOutput parse_output(const Json& json) {
  require_known_keys(json, {"file", "from", "accepts", "rows"}, "outputs");
  PresetOutput output;
  output.file = json.at("file");
  output.from = strings(json.at("from"));
  output.accepts = json.contains("accepts") ? strings(json.at("accepts")) : output.from;
  if (json.contains("rows")) output.rows = json.at("rows");
  return output;
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

const std::vector<Preset>& all_presets() {
  static const std::vector<Preset> all = [] {
    std::vector<Preset> read;
    for (const std::string_view json :
         {c4_dataset_json(), mmlu_dataset_json(), boolq_dataset_json(), hellaswag_dataset_json(),
          arc_dataset_json(), piqa_dataset_json(), winogrande_dataset_json()})
      read.push_back(parse_preset(json));
    return read;
  }();
  return all;
}

}  // namespace

std::span<const Preset> presets() { return all_presets(); }

const Preset* find_preset(std::string_view repository) {
  for (const Preset& preset : all_presets())
    if (same_letters(preset.repository, repository)) return &preset;
  return nullptr;
}

Preset parse_preset(std::string_view json_text) try {
  const Json json = parse_json(json_text);
  require_known_keys(json,
                     {"repository", "version", "revision", "licence", "layout", "note", "family",
                      "outputs", "fields"},
                     "preset");
  Preset preset;
  preset.repository = json.at("repository");
  preset.version = json.at("version");
  preset.revision = json.at("revision");
  preset.licence = json.at("licence");
  preset.note = json.value("note", "");
  preset.family = json.at("family");
  for (const Json& output : json.at("outputs")) preset.outputs.push_back(parse_output(output));
  for (const auto& item : json.at("fields").items())
    preset.fields.push_back(parse_field(item.key(), item.value()));
  return preset;
} catch (const std::exception& error) {
  throw Error(ErrorKind::kInvariant, text("a data set's preset is wrong: ", error.what()));
}

std::vector<std::string> preset_columns(const Preset& preset) {
  std::vector<std::string> columns;
  for (const PresetField& field : preset.fields)
    for (const std::string& path : field.columns) {
      const std::string column = path.substr(0, path.find('.'));
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
    }
  return columns;
}

}  // namespace plumb::harness
