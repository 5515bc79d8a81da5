#include "reports/versioned.h"

#include "base/error.h"
#include "base/json_fields.h"
#include "reports/report.h"
#include "reports/schema_validator.h"

namespace plumb::reports {
namespace {

int64_t whole(const nlohmann::ordered_json& json, const char* name) {
  if (!json[name].is_number_integer() || json[name].get<int64_t>() < 0)
    throw Error(ErrorKind::kInput,
                text(name, " is ", json[name].dump().substr(0, 40), "; needed is a whole number"));
  return json[name].get<int64_t>();
}

}  // namespace

nlohmann::ordered_json read_versioned(std::string_view text_of_it, std::string_view schema,
                                      SchemaVersion known, const std::string& what) {
  nlohmann::ordered_json json = parse_json(text_of_it);
  if (!json.is_object() || !json.contains("schema_version"))
    throw Error(ErrorKind::kInput,
                text("there is no schema_version; needed is a ", what, " that plumb has written"));
  const SchemaVersion found{whole(json, "schema_version"),
                            json.contains("schema_minor") ? whole(json, "schema_minor") : 0};
  if (found.major != known.major)
    throw Error(ErrorKind::kInput,
                text("schema version ", found.major, ".", found.minor, " of a ", what,
                     "; this release reads ", known.major, ".x",
                     found.major > known.major ? ": use the release that wrote it, or a newer one"
                                               : ": make it again"));
  if (found.minor > known.minor) return json;
  const SchemaValidator validator(parse_json(schema));
  const std::string difference = validator.first_difference(json);
  if (!difference.empty())
    throw Error(ErrorKind::kInput, text(difference, " (schema of ", what, ", version ", known.major,
                                        ".", known.minor, ")"));
  return json;
}

nlohmann::ordered_json read_results(std::string_view json) {
  return read_versioned(json, results_schema(), kResultsVersion, "results.json");
}

void validate_results(const std::string& json) { read_results(json); }

}  // namespace plumb::reports
