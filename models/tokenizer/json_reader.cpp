#include "models/tokenizer/json_reader.h"

#include <limits>
#include <utility>

#include "base/error.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {

std::unique_ptr<const JsonTree> json_tree(std::string_view text, const char* name) {
  try {
    return std::make_unique<const JsonTree>(text);
  } catch (const Error& error) {
    throw error.within(name);
  }
}

JsonObject::JsonObject(const Json& value, std::string path)
    : value_(&value), path_(std::move(path)) {
  if (!value.is_object()) refuse(text("an object is needed, found ", value.type_name()));
}

void JsonObject::refuse(const std::string& what) const {
  throw Error(ErrorKind::kInput, path_ + ": " + what);
}

bool JsonObject::has(const char* key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

const Json& JsonObject::at(const char* key) const {
  const auto found = value_->find(key);
  if (found == value_->end()) refuse(text("'", key, "' is missing"));
  return *found;
}

JsonObject JsonObject::object(const char* key) const { return {at(key), path_ + "." + key}; }

void JsonObject::for_each(const char* key,
                          const std::function<void(const JsonObject&)>& take) const {
  const auto& list = at(key);
  if (!list.is_array()) refuse(text("'", key, "' must be an array, found ", list.type_name()));
  for (size_t i = 0; i < list.size(); ++i)
    take(JsonObject(list[i], text(path_, ".", key, "[", i, "]")));
}

std::string JsonObject::string(const char* key) const {
  const auto& value = at(key);
  if (!value.is_string()) refuse(text("'", key, "' must be a string, found ", value.type_name()));
  return value.get<std::string>();
}

std::string JsonObject::string(const char* key, const std::string& otherwise) const {
  return has(key) ? string(key) : otherwise;
}

bool JsonObject::flag(const char* key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const auto& value = at(key);
  if (!value.is_boolean())
    refuse(text("'", key, "' must be true or false, found ", value.type_name()));
  return value.get<bool>();
}

int32_t JsonObject::token_id(const char* key) const {
  return read_token_id(at(key), path_ + "." + key);
}

int32_t read_token_id(const Json& value, const std::string& path) {
  if (!value.is_number_integer() || value < 0 || value > std::numeric_limits<int32_t>::max())
    throw Error(ErrorKind::kInput,
                text(path, ": ", in_quotes(value.dump(-1, ' ', true)), " is not a token id (0 to ",
                     std::numeric_limits<int32_t>::max(), ")"));
  return value.get<int32_t>();
}

}  // namespace plumb::models
