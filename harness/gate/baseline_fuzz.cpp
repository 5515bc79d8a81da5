#include "base/error.h"
#include "harness/gate/baseline_file.h"
#include "harness/gate/fuzz_target.h"

namespace plumb::harness::fuzz {

void baseline(std::string_view json) {
  try {
    parse_baseline(json);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput) throw;
  }
}

}  // namespace plumb::harness::fuzz
