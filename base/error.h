#pragma once

#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>

namespace plumb {

/// What went wrong, as the process' exit code. 0 (fine), 1 (a claim failed) and 3 (inconclusive)
/// are verdicts, not errors; 130 and 143 belong to signals.
enum class ErrorKind {
  kUsage = 2,         ///< the command line or the experiment file is wrong
  kInput = 4,         ///< a model, document or result file is missing, corrupt or unsupported
  kNetwork = 5,       ///< the network or an authentication failed
  kResource = 6,      ///< disk, memory or device: not there, full, or not permitted
  kIncomparable = 7,  ///< two results that must not be compared, or a baseline that is missing
  kInvariant = 8,     ///< an invariant of Plumb itself does not hold
  kInternal = 70,     ///< a bug
};

/// The parts, streamed one after the other: text("block ", 3, " of ", 30).
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// The one exception this project throws. Its message says what was found, what was needed and,
/// where there is something to do, what to do. A boundary that knows more (file, tensor, URL) adds
/// it with `within` and rethrows.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& what,
        std::source_location at = std::source_location::current())
      : std::runtime_error(what), kind_(kind), at_(at) {}

  ErrorKind kind() const noexcept { return kind_; }
  int exit_code() const noexcept { return static_cast<int>(kind_); }
  const std::source_location& at() const noexcept { return at_; }

  /// Same kind and origin, message prefixed: "model.safetensors: <what>".
  Error within(const std::string& context) const {
    return Error(kind_, context + ": " + what(), at_);
  }

 private:
  ErrorKind kind_;
  std::source_location at_;
};

}  // namespace plumb
