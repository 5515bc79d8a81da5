#pragma once

#include <string>
#include <vector>

namespace plumb::harness {

/// Parses the command line, runs its command and gives the exit code. Errors are thrown.
int run_program(int argc, const char* const* argv);

/// Writes one line "plumb: <what>" on stderr for the exception that is being handled and gives the exit code.
int explain_failure() noexcept;

/// The lines of `plumb --version`: version, commit, compiler, libtorch, CUDA, CPU.
std::vector<std::string> version_lines();

}  // namespace plumb::harness
