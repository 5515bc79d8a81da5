// The one place where an exception becomes a line and an exit code.

#include <c10/util/Exception.h>

#include <cstdio>
#include <filesystem>
#include <new>
#include <string>

#include "base/error.h"
#include "harness/cli/console.h"
#include "harness/cli/program.h"
#include "harness/cli/signals.h"
#include "harness/processes/processes.h"

namespace plumb::harness {

namespace {

int say(int code, const std::string& what) {
  // Of several, one says it, and all end.
  if (Processes* processes = running_processes()) processes->fail(code, printable(what));
  const std::string line = "plumb: " + printable(what) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  return code;
}

int code(ErrorKind kind) { return static_cast<int>(kind); }

/// libtorch reports a full memory like any other error, so its words decide.
int explain_torch(const c10::Error& error) {
  const std::string what = error.what_without_backtrace();
  const std::string first_line = what.substr(0, what.find('\n'));
  const bool memory = what.find("allocate memory") != std::string::npos ||
                      what.find("out of memory") != std::string::npos;
  if (memory)
    return say(
        code(ErrorKind::kResource),
        text("not enough memory (", first_line,
             "); take fewer --documents-per-step or fewer --threads, --dtype bf16, or a smaller "
             "--memory-limit"));
  if (what.find("CUDA error") != std::string::npos ||
      what.find("CUBLAS_STATUS") != std::string::npos)
    return say(code(ErrorKind::kResource), text("the device failed: ", first_line));
  return say(code(ErrorKind::kInternal), text("internal error in libtorch: ", first_line));
}

}  // namespace

int explain_failure() noexcept try {
  try {
    throw;
  } catch (const Interrupted& interrupted) {
    return say(128 + interrupted.signal, interrupted.signal == 2
                                             ? "stopped by the user; no result was written"
                                             : "stopped by a signal; no result was written");
  } catch (const Error& error) {
    return say(error.exit_code(), error.what());
  } catch (const c10::Error& error) {
    return explain_torch(error);
  } catch (const std::bad_alloc&) {
    return say(code(ErrorKind::kResource),
               "not enough memory; take fewer documents or fewer --documents-per-step");
  } catch (const std::filesystem::filesystem_error& error) {
    return say(code(ErrorKind::kResource), error.what());
  } catch (const std::exception& error) {
    return say(code(ErrorKind::kInternal), text("internal error: ", error.what()));
  } catch (...) {
    return say(code(ErrorKind::kInternal), "internal error of an unknown type");
  }
} catch (...) {
  return static_cast<int>(ErrorKind::kInternal);
}

}  // namespace plumb::harness
