#include "base/environment.h"
#include "base/error.h"
#include "harness/cli/program.h"
#include "harness/pipeline/facts.h"

namespace plumb::harness {

std::vector<std::string> version_lines() {
  std::vector<std::string> lines = {version_line()};
  const Environment environment = plumb::environment();
  for (const auto& [key, value] : environment.build)
    if (key != "version") lines.push_back(text("  ", key, ": ", value));
  for (const auto& [key, value] : library_facts()) lines.push_back(text("  ", key, ": ", value));
  return lines;
}

}  // namespace plumb::harness
