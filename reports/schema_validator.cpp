#include "reports/schema_validator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "base/error.h"
#include "base/json_fields.h"
#include "reports/escape.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kKeywords = {"type",
                                  "const",
                                  "enum",
                                  "required",
                                  "properties",
                                  "additionalProperties",
                                  "items",
                                  "minItems",
                                  "minLength",
                                  "maxLength",
                                  "pattern",
                                  "minimum",
                                  "exclusiveMinimum",
                                  "exclusiveMaximum",
                                  "oneOf",
                                  "anyOf",
                                  "$ref",
                                  "$schema",
                                  "$id",
                                  "$defs",
                                  "title",
                                  "description"};

constexpr size_t kLongestPatternInput = 256;

[[noreturn]] void refuse_schema(const std::string& what) {
  throw Error(ErrorKind::kInvariant, "schema: " + what);
}

void require_understood(const Json& schema) {
  if (schema.is_boolean()) return;
  if (!schema.is_object())
    refuse_schema("found " + schema.dump() + ", needed an object or a boolean");
  for (const auto& [key, rule] : schema.items()) {
    if (std::find(kKeywords.begin(), kKeywords.end(), key) == kKeywords.end())
      refuse_schema("keyword '" + key + "' is not understood here");
    if (key == "properties" || key == "$defs")
      for (const Json& inner : rule) require_understood(inner);
    if (key == "oneOf" || key == "anyOf")
      for (const Json& inner : rule) require_understood(inner);
    if (key == "items" || key == "additionalProperties") require_understood(rule);
  }
  if (schema.contains("pattern") &&
      schema.value("maxLength", kLongestPatternInput + 1) > kLongestPatternInput)
    refuse_schema(
        text("a pattern needs a maxLength of at most ", kLongestPatternInput, " beside it"));
}

std::string kind_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  return value.is_array() ? "an array" : "an object";
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "number") return value.is_number();
  // 1.0 is an integer to JSON Schema, whatever its spelling.
  if (type == "integer")
    return value.is_number_integer() ||
           (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  refuse_schema("type '" + type + "' does not exist");
}

std::string brief(const Json& value) {
  return shorten(value.dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

std::string found(const std::string& path, const std::string& what, const std::string& needed) {
  return (path.empty() ? "the document" : path) + ": found " + what + ", needed " + needed;
}

std::string inside(const std::string& path, const std::string& key) {
  const std::string shown = shorten(clean_text(key), 60);
  return path.empty() ? shown : path + "." + shown;
}

std::string check_type(const Json& rule, const Json& value, const std::string& path) {
  std::string needed;
  for (const Json& type : rule.is_array() ? rule : Json::array({rule})) {
    if (has_type(value, type.get<std::string>())) return "";
    needed += (needed.empty() ? "" : " or ") + type.get<std::string>();
  }
  return found(path, kind_of(value), needed);
}

std::string check_string(const Json& schema, const std::string& value, const std::string& path) {
  const size_t length = code_points(value);
  if (length < schema.value("minLength", size_t{0}))
    return found(path, text("a text of ", length, " characters"),
                 text("at least ", schema["minLength"].get<size_t>()));
  if (length > schema.value("maxLength", length))
    return found(path, text("a text of ", length, " characters"),
                 text("at most ", schema["maxLength"].get<size_t>()));
  if (schema.contains("pattern") &&
      !std::regex_search(value, std::regex(schema["pattern"].get<std::string>())))
    return found(path, brief(value), "text of the form " + schema["pattern"].get<std::string>());
  return "";
}

std::string check_number(const Json& schema, double value, const std::string& path) {
  if (schema.contains("minimum") && value < schema["minimum"].get<double>())
    return found(path, text(value), "at least " + schema["minimum"].dump());
  if (schema.contains("exclusiveMinimum") && value <= schema["exclusiveMinimum"].get<double>())
    return found(path, text(value), "more than " + schema["exclusiveMinimum"].dump());
  if (schema.contains("exclusiveMaximum") && value >= schema["exclusiveMaximum"].get<double>())
    return found(path, text(value), "less than " + schema["exclusiveMaximum"].dump());
  return "";
}

}  // namespace

SchemaValidator::SchemaValidator(Json schema) : schema_(std::move(schema)) {
  require_understood(schema_);
}

std::string SchemaValidator::first_difference(const Json& document) const {
  return check(schema_, document, "");
}

const Json& SchemaValidator::resolve(const std::string& reference) const {
  constexpr std::string_view kPrefix = "#/$defs/";
  const std::string name = reference.substr(std::min(kPrefix.size(), reference.size()));
  if (!reference.starts_with(kPrefix) || !schema_.contains("$defs") ||
      !schema_["$defs"].contains(name))
    refuse_schema("$ref '" + reference + "' leads nowhere");
  return schema_["$defs"][name];
}

std::string SchemaValidator::check(const Json& schema, const Json& value,
                                   const std::string& path) const {
  if (schema.is_boolean())
    return schema.get<bool>() ? ""
                              : (path.empty() ? "the document" : path) + ": is not allowed here";
  std::string difference;
  if (schema.contains("$ref"))
    difference = check(resolve(schema["$ref"].get<std::string>()), value, path);
  if (difference.empty() && schema.contains("type"))
    difference = check_type(schema["type"], value, path);
  if (difference.empty() && schema.contains("const") && value != schema["const"])
    difference = found(path, brief(value), schema["const"].dump());
  if (difference.empty() && schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    difference = found(path, brief(value), "one of " + schema["enum"].dump());
  if (!difference.empty()) return difference;
  if (value.is_string()) difference = check_string(schema, value.get<std::string>(), path);
  if (value.is_number()) difference = check_number(schema, value.get<double>(), path);
  if (value.is_object()) difference = check_object(schema, value, path);
  if (value.is_array()) difference = check_array(schema, value, path);
  return difference.empty() ? check_alternatives(schema, value, path) : difference;
}

std::string SchemaValidator::check_object(const Json& schema, const Json& value,
                                          const std::string& path) const {
  if (schema.contains("required"))
    for (const Json& key : schema["required"])
      if (!value.contains(key.get<std::string>()))
        return inside(path, key.get<std::string>()) + ": is missing";
  const Json none = Json::object();
  const Json& known = schema.contains("properties") ? schema["properties"] : none;
  for (const auto& [key, member] : value.items()) {
    const std::string here = inside(path, key);
    std::string difference;
    if (known.contains(key))
      difference = check(known[key], member, here);
    else if (schema.contains("additionalProperties")) {
      const Json& others = schema["additionalProperties"];
      difference =
          others == Json(false) ? here + ": is not a known property" : check(others, member, here);
    }
    if (!difference.empty()) return difference;
  }
  return "";
}

std::string SchemaValidator::check_array(const Json& schema, const Json& value,
                                         const std::string& path) const {
  if (value.size() < schema.value("minItems", size_t{0}))
    return found(path, text(value.size(), " items"),
                 text("at least ", schema["minItems"].get<size_t>()));
  if (!schema.contains("items")) return "";
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string difference = check(schema["items"], value[i], text(path, "[", i, "]"));
    if (!difference.empty()) return difference;
  }
  return "";
}

std::string SchemaValidator::check_alternatives(const Json& schema, const Json& value,
                                                const std::string& path) const {
  for (const char* keyword : {"oneOf", "anyOf"}) {
    if (!schema.contains(keyword)) continue;
    size_t matches = 0;
    std::string differences;
    for (const Json& alternative : schema[keyword]) {
      const std::string difference = check(alternative, value, path);
      matches += difference.empty();
      if (!difference.empty()) differences += (differences.empty() ? "" : "; or ") + difference;
    }
    if (matches == 0) return "no alternative fits: " + differences;
    if (matches > 1 && std::string_view(keyword) == "oneOf")
      return (path.empty() ? "the document" : path) +
             text(": fits ", matches, " alternatives, needed exactly one");
  }
  return "";
}

}  // namespace plumb::reports
