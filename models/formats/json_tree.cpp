#include "models/formats/json_tree.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_fields.h"
#include "models/formats/bounds.h"
#include "models/formats/json_text.h"

namespace plumb::models {
namespace {

constexpr size_t kDeepest = 64;

// Builds the value while it is read, in linear time: nlohmann's parser with a callback looks at
// every element of an array after each object in it.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(Json& root, size_t most_values) : root_(root), most_values_(most_values) {}

  bool null() override { return put(Json::value_t::null); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::value_t::object); }
  bool start_array(size_t) override { return open(Json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    const auto [member, is_new] =
        open_.back()->get_ref<Json::object_t&>().emplace(std::move(name), Json());
    if (!is_new)
      throw damaged("the JSON has key ", printable(member->first), " twice in an object");
    member_ = &member->second;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception& error) override {
    throw damaged("not valid JSON at byte ", position, ": ", json_fault(error.what()));
  }

 private:
  // Makes the value where it will stay: a million numbers are as many calls of each step in between.
  template <class Value>
  Json* place(Value&& value) {
    if (++values_ > most_values_) throw damaged("the JSON has more than ", most_values_, " values");
    if (open_.empty()) return &(root_ = Json(std::forward<Value>(value)));
    if (auto* elements = open_.back()->get_ptr<Json::array_t*>())
      return &elements->emplace_back(std::forward<Value>(value));
    return &(*member_ = Json(std::forward<Value>(value)));
  }
  template <class Value>
  bool put(Value&& value) {
    return place(std::forward<Value>(value)), true;
  }
  bool open(Json::value_t kind) {
    if (open_.size() == kDeepest)
      throw damaged("the JSON is nested deeper than ", kDeepest, " levels");
    open_.push_back(place(kind));
    return true;
  }
  bool close() { return open_.pop_back(), true; }

  Json& root_;
  Json* member_ = nullptr;   // of the innermost object, whose value comes next
  std::vector<Json*> open_;  // from the outermost; none grows while an inner one is open
  size_t values_ = 0, most_values_;
};

// From the leaves up. The library's own destructor puts all members of an object or array into one
// vector, to be free of recursion, which the limit on the depth makes harmless here.
void dismantle(Json& value) {
  if (auto* elements = value.get_ptr<Json::array_t*>()) {
    for (Json& element : *elements) dismantle(element);
    elements->clear();
  } else if (auto* members = value.get_ptr<Json::object_t*>()) {
    for (auto& [key, member] : *members) dismantle(member);
    members->clear();
  }
}

}  // namespace

JsonTree::JsonTree(std::string_view text, size_t most_values) {
  require_plain_json(text);
  Builder builder(root_, most_values);
  try {
    Json::sax_parse(text, &builder);
  } catch (...) {
    dismantle(root_);
    throw;
  }
}

JsonTree::~JsonTree() { dismantle(root_); }

}  // namespace plumb::models
