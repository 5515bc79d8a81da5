#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// Parses JSON strictly: UTF-8, no duplicate keys, no comments, nesting at most 64 deep, nothing
/// after the value. Error{kInput} with byte position and reason. NaN and infinities are not JSON.
nlohmann::ordered_json parse_json(std::string_view text);

/// What the parser found wrong, for people: of `what` of its exception the part that says why,
/// without position and without bytes of the input, which may be anything.
std::string json_fault(std::string_view what);

/// Error{kUsage} for a key of `object` that is not in `known`, naming it, its path and the nearest
/// known one.
void require_known_keys(const nlohmann::ordered_json& object, const std::vector<std::string>& known,
                        const std::string& path);

/// The known word that is nearest to `word` by edit distance, or empty when none is near; for "did
/// you mean".
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace plumb
