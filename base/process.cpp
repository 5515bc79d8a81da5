#include "base/process.h"

#include <signal.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace plumb {

bool is_at_work(pid_t process) noexcept {
  if (process <= 0 || (::kill(process, 0) != 0 && errno == ESRCH)) return false;
  try {
    // pid (name) state parent group session terminal its-group flags; the name may hold anything.
    constexpr unsigned long kExiting = 0x4;  // PF_EXITING
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string stat;
    std::getline(file, stat, '\0');
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) return true;
    std::istringstream rest(stat.substr(name_end + 1));
    char state = 0;
    long parent = 0, group = 0, session = 0, terminal = 0, terminal_group = 0;
    unsigned long flags = 0;
    if (!(rest >> state >> parent >> group >> session >> terminal >> terminal_group >> flags))
      return true;
    return state != 'Z' && state != 'X' && (flags & kExiting) == 0;
  } catch (...) {
    return true;
  }
}

}  // namespace plumb
