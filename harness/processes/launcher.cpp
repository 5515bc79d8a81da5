#include "harness/processes/launcher.h"

#include <charconv>
#include <cstdlib>

namespace plumb::harness {
namespace {

/// 0 where it is no number.
int number(const std::string& word) {
  int out = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), out);
  return status == std::errc() && end == word.data() + word.size() ? out : 0;
}

}  // namespace

Launch find_launch(const std::function<std::string(const char*)>& value_of) {
  for (const char* size : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const std::string word = value_of(size); !word.empty())
      return number(word) > 1 ? Launch::kMpi : Launch::kAlone;
  const bool several = number(value_of("SLURM_STEP_NUM_TASKS")) > 1;
  if (!value_of("PMIX_RANK").empty()) return several ? Launch::kMpi : Launch::kAlone;
  return several ? Launch::kNoPmi : Launch::kAlone;
}

Launch find_launch() {
  return find_launch([](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  });
}

}  // namespace plumb::harness
