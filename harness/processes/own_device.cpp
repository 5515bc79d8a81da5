#include "harness/processes/own_device.h"

#include <cstdlib>
#include <sstream>
#include <vector>

namespace plumb::harness {

std::string own_device(const std::string& visible, int place) {
  if (visible.empty()) return std::to_string(place);
  std::vector<std::string> devices;
  std::istringstream words(visible);
  for (std::string word; std::getline(words, word, ',');) devices.push_back(word);
  if (devices.size() == 1) return visible;
  return static_cast<size_t>(place) < devices.size() ? devices[static_cast<size_t>(place)] : "-1";
}

void take_own_device(const Processes& processes) {
  if (processes.facts().here < 2) return;
  constexpr const char* kVariable = "CUDA_VISIBLE_DEVICES";
  const char* visible = std::getenv(kVariable);
  const std::string own = own_device(visible != nullptr ? visible : "", processes.facts().place);
  ::setenv(kVariable, own.c_str(), /*overwrite=*/1);
}

}  // namespace plumb::harness
