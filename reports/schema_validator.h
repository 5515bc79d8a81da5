#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace plumb::reports {

/// A validator for the part of JSON Schema 2020-12 that our schemas use:
///
///     type  const  enum  required  properties  additionalProperties  items  minItems  minLength
///     maxLength pattern  minimum  exclusiveMinimum  exclusiveMaximum  oneOf  anyOf  $ref to
///     #/$defs  true  false
///
/// and, without effect, $schema $id $defs title description. Any other keyword in a schema is
/// Error{kInvariant}: a rule that is not understood must not look like one that holds. `pattern`
/// needs a maxLength of at most 256 beside it, because std::regex recurses once for each character.
/// Documents nest at most as deep as `parse_json` allows.
class SchemaValidator {
 public:
  /// Error{kInvariant} for a schema with a keyword that is not in the list above.
  explicit SchemaValidator(nlohmann::ordered_json schema);

  /// The first difference, such as "records[3].value: found a string, needed a number", or empty.
  std::string first_difference(const nlohmann::ordered_json& document) const;

 private:
  using Json = nlohmann::ordered_json;
  std::string check(const Json& schema, const Json& value, const std::string& path) const;
  std::string check_object(const Json& schema, const Json& value, const std::string& path) const;
  std::string check_array(const Json& schema, const Json& value, const std::string& path) const;
  std::string check_alternatives(const Json& schema, const Json& value,
                                 const std::string& path) const;
  const Json& resolve(const std::string& reference) const;

  Json schema_;
};

/// The text of schema/results.schema.json as it was when this program was built.
std::string_view results_schema();

}  // namespace plumb::reports
