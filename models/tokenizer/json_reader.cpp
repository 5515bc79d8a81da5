#include "models/tokenizer/json_reader.h"

#include <limits>
#include <unordered_set>

#include "base/error.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {

nlohmann::json parse_large_json(std::string_view source) {
  constexpr size_t kDeepest = 64;
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  size_t depth = 0;
  const auto watch = [&](int, Event event, nlohmann::json& parsed) {
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::object_start || event == Event::array_start) ++depth;
    if (event == Event::object_end || event == Event::array_end) --depth;
    if (depth > kDeepest)
      throw Error(ErrorKind::kInput, text("JSON nested more than ", kDeepest, " deep"));
    if (event == Event::key && !keys.back().insert(parsed.get_ref<const std::string&>()).second)
      throw Error(ErrorKind::kInput,
                  text("JSON with key ", in_quotes(parsed.get_ref<const std::string&>()),
                       " twice in one object"));
    return true;
  };
  try {
    return nlohmann::json::parse(source, watch);
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(ErrorKind::kInput,
                text("not valid JSON at byte ", error.byte, " of ", source.size()));
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInput, text("not valid JSON: ", error.what()));
  }
}

JsonObject::JsonObject(const nlohmann::json& value, std::string path)
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

const nlohmann::json& JsonObject::at(const char* key) const {
  const auto found = value_->find(key);
  if (found == value_->end()) refuse(text("'", key, "' is missing"));
  return *found;
}

JsonObject JsonObject::object(const char* key) const { return {at(key), path_ + "." + key}; }

std::vector<JsonObject> JsonObject::objects(const char* key) const {
  const auto& list = at(key);
  if (!list.is_array()) refuse(text("'", key, "' must be an array, found ", list.type_name()));
  std::vector<JsonObject> result;
  for (size_t i = 0; i < list.size(); ++i)
    result.emplace_back(list[i], text(path_, ".", key, "[", i, "]"));
  return result;
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

int32_t read_token_id(const nlohmann::json& value, const std::string& path) {
  if (!value.is_number_integer() || value < 0 || value > std::numeric_limits<int32_t>::max())
    throw Error(ErrorKind::kInput,
                text(path, ": ", in_quotes(value.dump(-1, ' ', true)), " is not a token id (0 to ",
                     std::numeric_limits<int32_t>::max(), ")"));
  return value.get<int32_t>();
}

}  // namespace plumb::models
