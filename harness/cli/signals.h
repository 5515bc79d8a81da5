#pragma once

namespace plumb::harness {

/// Thrown where work stops because the user or the system asked for it; not an error, so not an Error.
struct Interrupted {
  int signal;
};

/// SIGINT and SIGTERM set a flag that `throw_if_interrupted` reads; a second one ends the process at once.
void install_signal_handlers();

/// The signal that came, or 0.
int pending_signal();

/// Throws Interrupted when a signal came: called between steps of work, where nothing is half written.
void throw_if_interrupted();

}  // namespace plumb::harness
