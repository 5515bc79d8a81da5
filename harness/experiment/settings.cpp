#include "harness/experiment/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/json_fields.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

std::string needed(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::kText:
      return "a text";
    case SettingKind::kCount:
      return text("a whole number of at least ", setting.least);
    case SettingKind::kNumber:
      return text("a number of at least ", setting.least);
    case SettingKind::kSwitch:
      return "true or false";
    case SettingKind::kList:
      return "a list of texts";
  }
  return "";
}

[[noreturn]] void refuse(const Setting& setting, const std::string& found,
                         const std::string& origin) {
  throw Error(ErrorKind::kUsage,
              text(origin, ": '", setting.key, "' is ", found, ", needed ", needed(setting)));
}

bool fits(const Setting& setting, const Json& value) {
  switch (setting.kind) {
    case SettingKind::kText:
      return value.is_string();
    case SettingKind::kSwitch:
      return value.is_boolean();
    case SettingKind::kCount:
      if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) return false;
      return value.is_number_integer() && value.get<int64_t>() >= setting.least;
    case SettingKind::kNumber:
      return value.is_number() && std::isfinite(value.get<double>()) &&
             value.get<double>() >= static_cast<double>(setting.least);
    case SettingKind::kList:
      return value.is_array() &&
             std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_string(); });
  }
  return false;
}

Json parse_value(const Setting& setting, const std::string& word, const std::string& origin) {
  const auto wrong = [&] { refuse(setting, "'" + word + "'", origin); };
  Json value;
  if (setting.kind == SettingKind::kText) value = word;
  if (setting.kind == SettingKind::kList) value = split_list(word);
  if (setting.kind == SettingKind::kSwitch) {
    if (word != "true" && word != "false" && word != "1" && word != "0") wrong();
    value = word == "true" || word == "1";
  }
  const auto read = [&](auto number) {
    const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (status != std::errc() || end != word.data() + word.size()) wrong();
    value = number;
  };
  if (setting.kind == SettingKind::kCount) read(int64_t{0});
  if (setting.kind == SettingKind::kNumber) read(0.0);
  if (!fits(setting, value)) wrong();
  return value;
}

/// The names that may stand directly below `prefix` ("" or "sweep.").
std::vector<std::string> names_below(const std::string& prefix) {
  std::vector<std::string> names;
  for (const Setting& setting : known_settings()) {
    if (setting.key.rfind(prefix, 0) != 0) continue;
    const std::string rest = setting.key.substr(prefix.size());
    const std::string name = rest.substr(0, rest.find('.'));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  if (prefix.empty()) names.push_back("by_dtype");
  return names;
}

std::string environment_name(const std::string& key) {
  std::string name = "PLUMB_";
  for (const char c : key)
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

}  // namespace

Settings::Settings() {
  for (const Setting& setting : known_settings())
    entries_.push_back({&setting, setting.fallback, "default", 0});
}

Settings::Entry& Settings::entry(const std::string& key) {
  return const_cast<Entry&>(static_cast<const Settings*>(this)->entry(key));
}

const Settings::Entry& Settings::entry(const std::string& key) const {
  for (const Entry& candidate : entries_)
    if (candidate.setting->key == key) return candidate;
  std::vector<std::string> known;
  for (const Setting& setting : known_settings()) known.push_back(setting.key);
  const std::string near = nearest(key, known);
  throw Error(ErrorKind::kUsage, text("there is no setting '", key, "'",
                                      near.empty() ? "; see plumb run --print-config"
                                                   : ", did you mean '" + near + "'?"));
}

void Settings::take_object(const Json& object, const std::string& prefix, const std::string& path,
                           const std::string& origin) {
  if (!object.is_object())
    throw Error(ErrorKind::kUsage, text(path, " is ", object.type_name(), ", needed an object"));
  require_known_keys(object, names_below(prefix), path);
  for (const auto& [name, value] : object.items()) {
    if (prefix.empty() && name == "by_dtype") continue;
    const std::string key = prefix + name;
    const bool leaf = std::any_of(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.setting->key == key; });
    if (!leaf) {
      take_object(value, key + ".", path + "." + name, origin);
      continue;
    }
    Entry& target = entry(key);
    if (!fits(*target.setting, value)) refuse(*target.setting, value.dump(), path);
    if (target.rank > 1) continue;
    target.value = value;
    target.origin = origin;
    target.rank = 1;
  }
}

void Settings::read_file(std::string_view json, const std::string& file_name) {
  Json object;
  try {
    object = parse_json(json);
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, error.what(), error.at()).within(file_name);
  }
  file_name_ = file_name;
  take_object(object, "", file_name, "file " + file_name);
  if (!object.contains("by_dtype")) return;
  by_dtype_ = object["by_dtype"];
  const std::string path = file_name + ".by_dtype";
  if (!by_dtype_.is_object())
    throw Error(ErrorKind::kUsage, text(path, " is ", by_dtype_.type_name(), ", needed an object"));
  require_known_keys(by_dtype_, {"bf16", "fp32"}, path);
  for (const auto& [dtype, section] : by_dtype_.items()) {
    Settings trial;  // a section that will not be used must be right all the same
    trial.take_object(section, "", path + "." + dtype, "");
    for (const char* key : {"dtype", "model", "out"})
      if (section.contains(key))
        throw Error(ErrorKind::kUsage,
                    text(path, ".", dtype, ": '", key, "' cannot depend on the dtype"));
    if (section.contains("by_dtype"))
      throw Error(ErrorKind::kUsage, text(path, ".", dtype, ": 'by_dtype' cannot be nested"));
  }
}

void Settings::read_environment() {
  for (Entry& target : entries_) {
    const std::string name = environment_name(target.setting->key);
    const char* found = std::getenv(name.c_str());
    if (found == nullptr || target.rank > 2) continue;
    target.value = parse_value(*target.setting, found, "environment " + name);
    target.origin = "environment " + name;
    target.rank = 2;
  }
}

void Settings::set(const std::string& key, const std::string& value, const std::string& origin) {
  Entry& target = entry(key);
  target.value = parse_value(*target.setting, value, origin);
  target.origin = origin;
  target.rank = 3;
}

void Settings::choose_dtype(const std::string& dtype) {
  if (!by_dtype_.is_object() || !by_dtype_.contains(dtype)) return;
  take_object(by_dtype_[dtype], "", file_name_ + ".by_dtype." + dtype,
              "file " + file_name_ + ", by_dtype." + dtype);
}

Json Settings::to_json() const {
  Json out = Json::object();
  for (const Entry& e : entries_) out[e.setting->key] = {{"value", e.value}, {"origin", e.origin}};
  return out;
}

Settings Settings::from_json(const Json& saved) {
  Settings out;
  for (const auto& [key, entry] : saved.items()) {
    Entry& target = out.entry(key);
    if (!fits(*target.setting, entry.at("value")) && !entry.at("value").is_null())
      refuse(*target.setting, entry.at("value").dump(), "saved settings");
    target.value = entry.at("value");
    target.origin = entry.at("origin");
    target.rank = 3;
  }
  return out;
}

const Json& Settings::value(const std::string& key) const { return entry(key).value; }
const std::string& Settings::origin(const std::string& key) const { return entry(key).origin; }

std::string Settings::text_of(const std::string& key) const {
  const Json& found = value(key);
  return found.is_null() ? "" : found.get<std::string>();
}

int64_t Settings::count_of(const std::string& key) const { return value(key).get<int64_t>(); }
double Settings::number_of(const std::string& key) const { return value(key).get<double>(); }
bool Settings::switch_of(const std::string& key) const { return value(key).get<bool>(); }

std::vector<std::string> Settings::list_of(const std::string& key) const {
  const Json& found = value(key);
  return found.is_null() ? std::vector<std::string>{} : found.get<std::vector<std::string>>();
}

std::vector<std::string> split_list(std::string_view words) {
  std::vector<std::string> out;
  if (words.empty()) return out;
  out.emplace_back();
  for (const char c : words) {
    if (c == ',')
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

}  // namespace plumb::harness
