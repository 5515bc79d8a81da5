#pragma once

namespace plumb {

/// The source's commit as abbreviated by git, with "-modified" where tracked files differ from it;
/// "unknown" outside of a git checkout. Defined in a file that each build writes anew only if the
/// commit changed (cmake/Commit.cmake), so a commit costs one small compilation and a link.
const char* source_commit();

}  // namespace plumb
