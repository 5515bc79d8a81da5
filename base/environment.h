#pragma once

#include <string>
#include <utility>
#include <vector>

namespace plumb {

/// What a number was measured with: shown in every report, compared before two timings are. No host
/// name.
struct Environment {
  std::vector<std::pair<std::string, std::string>>
      build;  ///< version, commit, compiler, build type, libraries
  std::vector<std::pair<std::string, std::string>>
      machine;                        ///< CPU model, cores, flags that matter, memory, system
  std::vector<std::string> warnings;  ///< a debug build, a frequency governor, a busy machine
};

Environment environment();

/// "plumb 0.1.0 (commit abc1234, Release, g++ 12.2.0)".
std::string version_line();

}  // namespace plumb
