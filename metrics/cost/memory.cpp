#include <fstream>
#include <string>

#include "base/error.h"
#include "metrics/cost/cost.h"

namespace plumb::metrics {
namespace {

/// "VmHWM:     1234 kB" -> bytes. The kernel's kB are 1024 bytes.
uint64_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(field + ':')) continue;
    std::istringstream rest(line.substr(field.size() + 1));
    uint64_t amount = 0;
    std::string unit;
    if (rest >> amount >> unit && unit == "kB") return amount * 1024;
    break;
  }
  throw Error(ErrorKind::kResource,
              text("/proc/self/status has no readable line '", field,
                   "'; resident memory can only be measured where the system gives it"));
}

}  // namespace

uint64_t peak_resident_bytes() { return status_bytes("VmHWM"); }
uint64_t resident_bytes() { return status_bytes("VmRSS"); }

}  // namespace plumb::metrics
