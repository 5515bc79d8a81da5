#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/cli/console.h"
#include "harness/processes/processes.h"

namespace plumb::harness {

/// One option of a command. `setting` names the experiment's key that it sets ("sweep.n"), or is empty where the command
/// reads the option itself.
struct Flag {
  std::string name;         ///< "--model"; without dashes: by its place
  std::string placeholder;  ///< "FILE"; empty for a switch
  std::string setting;
  std::string help;
};

/// What the command line gave: values by flag, and where to write.
struct Arguments {
  std::map<std::string, std::vector<std::string>> values;
  std::vector<std::string> command_line;  ///< as typed
  Processes* processes = nullptr;  ///< that run the command together; never null where it runs

  bool has(const std::string& flag) const { return values.contains(flag); }
  std::optional<std::string> get(const std::string& flag) const;
  /// Error{kUsage} naming the flag when it was not given.
  std::string require(const std::string& flag) const;
};

/// One command: data, and a thin function whose result is the exit code.
struct Command {
  std::string name;
  std::string summary;
  std::string example;
  std::vector<Flag> flags;
  int (*run)(const Arguments&, const Console&);
  bool hidden = false;
  /// Formats of the files that it writes, the default first: words of --format beside the output's own.
  std::vector<std::string> file_formats = {};
  bool several = false;  ///< whether several processes may run it together
};

/// Where the words of --format go that name what files are written in.
inline constexpr const char* kFileFormat = "--format of files";

Command run_command();
Command fetch_command();
Command cache_command();
Command inspect_command();
Command profile_command();
Command prune_command();
Command heal_command();
Command sweep_command();
Command eval_command();
Command measure_command();
Command measure_one_command();    ///< hidden: the child process of a run's cost
Command measure_child_command();  ///< hidden: the child process of `measure`
Command compare_command();
Command gate_command();
Command baseline_command();
Command verify_command();
Command report_command();
Command doctor_command();

/// All of them, in the order of the help.
const std::vector<Command>& commands();

}  // namespace plumb::harness
