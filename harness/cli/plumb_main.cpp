#include <cstdio>

#include "base/error.h"

int main() {
  std::fputs("plumb: no command is wired up yet\n", stderr);
  return static_cast<int>(plumb::ErrorKind::kUsage);
}
