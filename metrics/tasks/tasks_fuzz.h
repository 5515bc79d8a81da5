#pragma once

#include <string_view>

namespace plumb::metrics::fuzz {

/// Feeds a task file, and behind a line "---" a question file for it, to their readers and makes every question's prompt
/// (the first two questions are shots). A refusal as Error{kInput} or Error{kUsage} is fine, everything else that is thrown is a
/// fault. As models/fuzz_targets.h.
void tasks(std::string_view bytes);

}  // namespace plumb::metrics::fuzz
