#include "harness/cli/signals.h"

#include <unistd.h>

#include <csignal>

namespace plumb::harness {

namespace {

volatile std::sig_atomic_t signal_seen = 0;

extern "C" void remember_signal(int signal) {
  if (signal_seen != 0) _exit(128 + signal);
  signal_seen = signal;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = remember_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags =
      0;  // no SA_RESTART: a wait for a child must return, so that the child can be told
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int pending_signal() { return static_cast<int>(signal_seen); }

void throw_if_interrupted() {
  if (signal_seen != 0) throw Interrupted{static_cast<int>(signal_seen)};
}

}  // namespace plumb::harness
