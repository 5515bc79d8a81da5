#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::harness {

/// What a setting holds.
enum class SettingKind {
  kText,    ///< a string
  kCount,   ///< a whole number >= least
  kNumber,  ///< a finite number >= least
  kSwitch,  ///< true or false
  kList,    ///< an array of strings; on the command line separated by commas
};

/// One key of an experiment, "sweep.n" for {"sweep": {"n": ...}}.
struct Setting {
  std::string key;
  SettingKind kind;
  nlohmann::ordered_json fallback;  ///< the default; null where there is none
  int64_t least = 0;
  std::string help;
};

/// Every key that an experiment may have, in the order in which they are printed.
const std::vector<Setting>& known_settings();

/// The values of all settings and where each came from: default < file < environment < command line.
///
/// A file is a JSON object of the known keys. Its key "by_dtype" may hold {"bf16": {...}, "fp32": {...}}, settings that
/// count only when the run's dtype is that one: sizes follow the kind of CPU, never the clock. The environment's name of
/// a key is PLUMB_ and the key in capitals with '_' for '.', such as PLUMB_SWEEP_N.
///
/// Errors: Error{kUsage} naming the key, its path, and the nearest known one; or the value and what was needed.
class Settings {
 public:
  Settings();

  void read_file(std::string_view json, const std::string& file_name);
  void read_environment();
  /// `origin` is what a reader sees, such as "flag --n".
  void set(const std::string& key, const std::string& value, const std::string& origin);
  /// Applies the file's "by_dtype" section of `dtype` to the keys that neither environment nor command line set.
  void choose_dtype(const std::string& dtype);

  /// Every key with value and origin, and back.
  nlohmann::ordered_json to_json() const;
  static Settings from_json(const nlohmann::ordered_json& saved);

  const nlohmann::ordered_json& value(const std::string& key) const;
  const std::string& origin(const std::string& key) const;
  std::string text_of(const std::string& key) const;  ///< "" where there is no value
  int64_t count_of(const std::string& key) const;
  double number_of(const std::string& key) const;
  bool switch_of(const std::string& key) const;
  std::vector<std::string> list_of(const std::string& key) const;

 private:
  struct Entry {
    const Setting* setting;
    nlohmann::ordered_json value;
    std::string origin;
    int rank;  ///< 0 default, 1 file, 2 environment, 3 command line
  };
  Entry& entry(const std::string& key);
  const Entry& entry(const std::string& key) const;
  void take_object(const nlohmann::ordered_json& object, const std::string& prefix,
                   const std::string& path, const std::string& origin);
  std::vector<Entry> entries_;
  nlohmann::ordered_json by_dtype_;
  std::string file_name_;
};

/// What stands between the commas: {"a", "", "b"} of "a,,b", none of "".
std::vector<std::string> split_list(std::string_view words);

}  // namespace plumb::harness
