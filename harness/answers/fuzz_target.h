#pragma once

#include <string_view>

namespace plumb::harness::fuzz {

/// Feeds the lines of a log, which a user may have from anyone, to its reader. A refusal as Error{kInput} is fine, everything
/// else that is thrown is a fault. As models/fuzz_targets.h.
void answers(std::string_view log);

}  // namespace plumb::harness::fuzz
