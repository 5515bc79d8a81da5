#pragma once

#include <string_view>

namespace plumb::harness {

/// What names of tasks and models may consist of where they become names of files and folders, on any system and in any
/// shell; the first may not be '.'.
inline constexpr std::string_view kFileNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

}  // namespace plumb::harness
