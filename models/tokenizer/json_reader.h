#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::models {

/// Parses JSON strictly, for files with hundreds of thousands of keys: no duplicate keys, nesting
/// at most 64 deep, nothing after the value. Error{kInput} with the byte position. (base's
/// parse_json keeps the order of keys and searches them one by one, which a vocabulary is too large
/// for.)
nlohmann::json parse_large_json(std::string_view text);

/// A JSON object being read: every access names the field's path in its Error{kInput}.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string path);
  const std::string& path() const { return path_; }
  bool has(const char* key) const;                  ///< present and not null
  const nlohmann::json& at(const char* key) const;  ///< must be present
  JsonObject object(const char* key) const;
  std::vector<JsonObject> objects(const char* key) const;  ///< of an array
  std::string string(const char* key) const;
  std::string string(const char* key, const std::string& otherwise) const;
  bool flag(const char* key, bool otherwise) const;
  int32_t token_id(const char* key) const;
  std::string type() const { return string("type"); }
  [[noreturn]] void refuse(const std::string& what) const;  ///< Error{kInput} "<path>: <what>"

 private:
  const nlohmann::json* value_;
  std::string path_;
};

/// Error{kInput} unless `value` is an id, an integer from 0 to 2^31 - 1.
int32_t read_token_id(const nlohmann::json& value, const std::string& path);

}  // namespace plumb::models
