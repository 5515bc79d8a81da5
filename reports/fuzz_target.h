#pragma once

#include <string_view>

namespace plumb::reports::fuzz {

/// Feeds a results.json, which a user may have from anyone, to the reader and the schema. A refusal as
/// Error{kInput} is fine, everything else that is thrown is a fault. As models/fuzz_targets.h.
void results(std::string_view json);

}  // namespace plumb::reports::fuzz
