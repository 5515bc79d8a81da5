#pragma once

#include <cstddef>
#include <string_view>

namespace plumb::models {

/// The longest string or number of a JSON text, with the white space and brackets after it: half of
/// the text, or 256 KiB in a small one. The parser collects each in a buffer that doubles as it
/// grows, so that none becomes larger than the text (than 512 KiB in a small one).
inline constexpr size_t kLongestToken = size_t{256} << 10;

/// What both readers of JSON (`JsonEvents`, `JsonTree`) demand before the parser sees a foreign
/// text. Error{kInput} for a byte-order mark, a NUL (which the parser takes for the end) and a
/// token that is too long.
void require_plain_json(std::string_view text);

}  // namespace plumb::models
