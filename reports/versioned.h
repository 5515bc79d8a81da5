#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace plumb::reports {

/// What a JSON file of ours says about itself: `schema_version` is the major number, `schema_minor` the minor one, 0 where
/// it is left out, as it was at first. A minor version only adds members, each with the default that its reader states.
struct SchemaVersion {
  int64_t major = 1;
  int64_t minor = 0;
};

inline constexpr SchemaVersion kResultsVersion{1, 1};
inline constexpr SchemaVersion kBaselineVersion{1, 0};
inline constexpr SchemaVersion kGateVersion{1, 1};

/// Parses a file of ours and holds it to `schema`. Of a newer minor version the members that are not known are passed
/// over, so that the schema, which knows no others, is not asked. Error{kInput}: no strict JSON (cut short, with the byte),
/// no version, a newer major one (both numbers, and that a newer release reads it), or the first difference from the schema.
nlohmann::ordered_json read_versioned(std::string_view json, std::string_view schema,
                                      SchemaVersion known, const std::string& what);

/// results.json. Of minor version 0 there is no `subject`.
nlohmann::ordered_json read_results(std::string_view json);

/// The texts of schema/baseline.schema.json and schema/gate.schema.json as they were when this program was built.
std::string_view baseline_schema();
std::string_view gate_schema();

}  // namespace plumb::reports
