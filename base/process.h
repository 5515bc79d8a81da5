#pragma once

#include <sys/types.h>

namespace plumb {

/// Whether a process of that id may still write files: not where there is none, and not where it has ended and only its parent
/// has not asked for its exit code yet (a launcher that ends first leaves such ones, for good where nobody adopts them).
/// Source: proc(5), /proc/<pid>/stat. Where that cannot be read, a process that is there counts as at work.
bool is_at_work(pid_t process) noexcept;

}  // namespace plumb
