#pragma once

#include <string>
#include <vector>

namespace plumb::harness {

struct ChildOutput {
  int exit_code = 0;  ///< 128 + signal where one ended it
  std::string out;
  std::string err;
};

/// Runs `program` with `arguments` and waits; both output streams are read as they come. A signal for this process
/// ends the child, and Interrupted is thrown. Error{kResource} where it cannot be started.
ChildOutput run_child(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace plumb::harness
