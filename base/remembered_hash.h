#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/file.h"

namespace plumb {

/// The file's SHA-256 as `sha256_of_file` gives it, but read once: it is remembered in `$XDG_CACHE_HOME/plumb/hashes`
/// (else `~/.cache/plumb/hashes`) with what tells one state of a file from the next, InputFile::state. A model of 140 GB
/// is hashed when it is new and not again by every command.
///
/// Nothing is remembered of a file that was written so shortly before that its times would not show another write, nor
/// where there is no place for it; then the file is hashed each time. Error{kInput} where it cannot be read.
/// Error{kResource} soon after `stop` was requested.
std::string remembered_sha256(const InputFile& file, const std::stop_token& stop = {});
std::string remembered_sha256(const std::filesystem::path& path);

/// For who has just hashed every byte of the file. Waits some milliseconds until the file's times would show a write.
/// Nothing is remembered, and nothing said, where that does not work: the file is then hashed when its hash is needed.
void remember_sha256(const std::filesystem::path& path, std::string_view sha256);

}  // namespace plumb
