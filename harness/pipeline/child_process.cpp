#include "harness/pipeline/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "harness/cli/signals.h"

extern char** environ;

namespace plumb::harness {

namespace {

/// Both ends of a pipe, closed when they go.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0)
      throw Error(ErrorKind::kResource,
                  text("no pipe for a child process: ", std::strerror(errno)));
  }
  ~Pipe() {
    for (const int end : ends)
      if (end >= 0) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_writer() {
    close(ends[1]);
    ends[1] = -1;
  }
};

pid_t spawn(const std::string& program, const std::vector<std::string>& arguments, const Pipe& out,
            const Pipe& err) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  pid_t child = -1;
  const int status = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0)
    throw Error(ErrorKind::kResource,
                text("cannot start '", program, "' as a child process: ", std::strerror(status)));
  return child;
}

/// Reads both pipes until both are closed. False when a signal came meanwhile.
bool drain(const Pipe& out, const Pipe& err, ChildOutput& result) {
  pollfd open[2] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (pending_signal() != 0) return false;
    if (poll(open, 2, 200) < 0 && errno != EINTR) return true;
    for (int i = 0; i < 2; ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = read(open[i].fd, buffer, sizeof buffer);
      if (count > 0) (i == 0 ? result.out : result.err).append(buffer, static_cast<size_t>(count));
      if (count == 0 || (count < 0 && errno != EINTR)) open[i].fd = -1;
      open[i].revents = 0;
    }
  }
  return true;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 255;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

ChildOutput run_child(const std::string& program, const std::vector<std::string>& arguments) {
  Pipe out, err;
  const pid_t child = spawn(program, arguments, out, err);
  out.close_writer();
  err.close_writer();
  ChildOutput result;
  if (!drain(out, err, result)) {
    kill(child, SIGKILL);  // it writes no files, so nothing is left half done
    wait_for(child);
    throw_if_interrupted();
  }
  result.exit_code = wait_for(child);
  throw_if_interrupted();
  return result;
}

}  // namespace plumb::harness
