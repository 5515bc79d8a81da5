#include "models/tokenizer/json_reader.h"

#include <limits>
#include <utility>

#include "base/error.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {

namespace {

// Builds the value while it is read, in linear time: nlohmann's parser with a callback looks at
// every element of an array after each object in it.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(nlohmann::json::object()); }
  bool start_array(size_t) override { return open(nlohmann::json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    const auto [member, is_new] = open_.back()->get_ref<nlohmann::json::object_t&>().emplace(
        std::move(name), nlohmann::json());
    if (!is_new)
      throw Error(ErrorKind::kInput,
                  text("JSON with key ", in_quotes(member->first), " twice in one object"));
    member_ = &member->second;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw Error(ErrorKind::kInput, text("not valid JSON at byte ", position));
  }
  nlohmann::json take() { return std::move(root_); }

 private:
  nlohmann::json* place(nlohmann::json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    auto& elements = open_.back()->get_ref<nlohmann::json::array_t&>();
    return &elements.emplace_back(std::move(value));
  }
  bool put(nlohmann::json value) { return place(std::move(value)), true; }
  bool open(nlohmann::json value) {
    constexpr size_t kDeepest = 64;
    if (open_.size() == kDeepest)
      throw Error(ErrorKind::kInput, text("JSON nested more than ", kDeepest, " deep"));
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() { return open_.pop_back(), true; }

  nlohmann::json root_;
  nlohmann::json* member_ = nullptr;  ///< of the innermost object, whose value comes next
  std::vector<nlohmann::json*>
      open_;  ///< from the outermost; none grows while an inner one is open
};

}  // namespace

nlohmann::json parse_large_json(std::string_view source) {
  Builder builder;
  try {
    nlohmann::json::sax_parse(source, &builder);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInput, text("not valid JSON: ", error.what()));
  }
  return builder.take();
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
