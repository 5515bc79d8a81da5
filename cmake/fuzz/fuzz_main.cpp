// libFuzzer's entry: the target that PLUMB_FUZZ_TARGET names gets every input.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "harness/answers/fuzz_target.h"
#include "harness/gate/fuzz_target.h"
#include "metrics/tasks/tasks_fuzz.h"
#include "models/fuzz_targets.h"
#include "reports/fuzz_target.h"

namespace {

using Feed = void (*)(std::string_view);

Feed chosen() {
  const char* const name = std::getenv("PLUMB_FUZZ_TARGET");
  if (name != nullptr && std::string_view(name) == "results") return plumb::reports::fuzz::results;
  if (name != nullptr && std::string_view(name) == "answers") return plumb::harness::fuzz::answers;
  if (name != nullptr && std::string_view(name) == "baseline")
    return plumb::harness::fuzz::baseline;
  if (name != nullptr && std::string_view(name) == "tasks") return plumb::metrics::fuzz::tasks;
  for (const auto& [known, feed] : plumb::models::fuzz::kTargets)
    if (name != nullptr && known == name) return feed;
  std::fputs("PLUMB_FUZZ_TARGET must name a target: results answers baseline tasks", stderr);
  for (const auto& target : plumb::models::fuzz::kTargets)
    std::fprintf(stderr, " %s", std::string(target.first).c_str());
  std::fputs("\n", stderr);
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Feed feed = chosen();
  feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
