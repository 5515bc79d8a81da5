#pragma once

#include <string_view>

namespace plumb::harness::fuzz {

/// Feeds a baseline file, which a user may have from anyone, to its reader. A refusal as Error{kInput} is fine, everything
/// else that is thrown is a fault. As models/fuzz_targets.h.
void baseline(std::string_view json);

}  // namespace plumb::harness::fuzz
