#include "models/formats/json_events.h"

#include "base/json_fields.h"
#include "models/formats/bounds.h"
#include "models/formats/json_text.h"

namespace plumb::models {

void JsonEvents::read(std::string_view text, size_t deepest) {
  deepest_ = deepest;
  path_.clear();
  open_objects_.clear();
  arrays_ = 0;
  require_plain_json(text);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') throw damaged("the JSON is no object");
  nlohmann::json_sax<nlohmann::json>* events = this;  // whose functions are public
  nlohmann::json::sax_parse(text.begin(), text.end(), events);
}

void JsonEvents::scalar(const JsonScalar& value) {
  on_scalar(value);
  if (!open_objects_.empty() && open_objects_.back()) path_.pop_back();
}

void JsonEvents::descend() {
  if (open_objects_.size() >= deepest_)
    throw damaged("the JSON is nested deeper than ", deepest_, " levels");
}

bool JsonEvents::null() {
  scalar({});
  return true;
}
bool JsonEvents::boolean(bool) {
  scalar({JsonScalar::Kind::kBool, 0, {}});
  return true;
}
bool JsonEvents::number_integer(number_integer_t) {
  scalar({JsonScalar::Kind::kNegative, 0, {}});
  return true;
}
bool JsonEvents::number_unsigned(number_unsigned_t value) {
  scalar({JsonScalar::Kind::kUnsigned, value, {}});
  return true;
}
bool JsonEvents::number_float(number_float_t, const string_t&) {
  scalar({JsonScalar::Kind::kReal, 0, {}});
  return true;
}
bool JsonEvents::string(string_t& value) {
  scalar({JsonScalar::Kind::kString, 0, value});
  return true;
}
bool JsonEvents::binary(binary_t&) { return false; }

bool JsonEvents::start_object(std::size_t) {
  descend();
  open_objects_.push_back(true);
  on_object_begin();
  return true;
}
bool JsonEvents::key(string_t& value) {
  path_.push_back(value);
  return true;
}
bool JsonEvents::end_object() {
  on_object_end();
  open_objects_.pop_back();
  if (!open_objects_.empty() && open_objects_.back()) path_.pop_back();
  return true;
}
bool JsonEvents::start_array(std::size_t) {
  descend();
  open_objects_.push_back(false);
  ++arrays_;
  on_array_begin();
  return true;
}
bool JsonEvents::end_array() {
  open_objects_.pop_back();
  --arrays_;
  if (!open_objects_.empty() && open_objects_.back()) path_.pop_back();
  return true;
}

bool JsonEvents::parse_error(std::size_t position, const std::string&,
                             const nlohmann::detail::exception& error) {
  throw damaged("the JSON is broken at byte ", position, ": ", json_fault(error.what()));
}

}  // namespace plumb::models
