#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "models/formats/json_tree.h"

namespace plumb::models {

/// JsonTree, `name` in front of whatever is wrong with it.
std::unique_ptr<const JsonTree> json_tree(std::string_view text, const char* name);

/// A JSON object being read: every access names the field's path in its Error{kInput}.
class JsonObject {
 public:
  JsonObject(const Json& value, std::string path);
  const std::string& path() const { return path_; }
  bool has(const char* key) const;        ///< present and not null
  const Json& at(const char* key) const;  ///< must be present
  JsonObject object(const char* key) const;
  /// Those of an array, one after the other.
  void for_each(const char* key, const std::function<void(const JsonObject&)>& take) const;
  std::string string(const char* key) const;
  std::string string(const char* key, const std::string& otherwise) const;
  bool flag(const char* key, bool otherwise) const;
  int32_t token_id(const char* key) const;
  std::string type() const { return string("type"); }
  [[noreturn]] void refuse(const std::string& what) const;  ///< Error{kInput} "<path>: <what>"

 private:
  const Json* value_;
  std::string path_;
};

/// Error{kInput} unless `value` is an id, an integer from 0 to 2^31 - 1.
int32_t read_token_id(const Json& value, const std::string& path);

}  // namespace plumb::models
