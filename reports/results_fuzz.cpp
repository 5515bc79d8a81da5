#include <string>

#include "base/error.h"
#include "reports/fuzz_target.h"
#include "reports/report.h"

namespace plumb::reports::fuzz {

void results(std::string_view json) {
  try {
    validate_results(std::string(json));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput) throw;
  }
}

}  // namespace plumb::reports::fuzz
