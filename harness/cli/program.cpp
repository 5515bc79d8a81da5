#include "harness/cli/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/cli/command.h"
#include "harness/cli/signals.h"
#include "harness/processes/launcher.h"
#include "harness/processes/own_device.h"

namespace plumb::harness {

namespace {

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : commands())
    if (!command.hidden) names.push_back(command.name);
  return names;
}

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

void require_known_command(const std::string& word) {
  const auto& all = commands();
  if (std::any_of(all.begin(), all.end(), [&](const Command& c) { return c.name == word; })) return;
  const std::string near = nearest(word, command_names());
  throw Error(ErrorKind::kUsage, text("there is no command '", printable(word), "'",
                                      near.empty() ? "" : text(", did you mean '", near, "'?"),
                                      "; plumb has ", listed(command_names())));
}

/// "help" and "help COMMAND" as the flag says it.
std::vector<std::string> asked_help(const std::vector<std::string>& words) {
  if (words.size() == 1) return {"--help"};
  return {words[1], "--help"};
}

CLI::App* add_command(CLI::App& app, const Command& command, Arguments& arguments) {
  CLI::App* sub = app.add_subcommand(command.name, command.summary);
  if (command.hidden) sub->group("");
  sub->footer("Example:\n  " + command.example);
  for (const Flag& flag : command.flags) {
    CLI::Option* option = nullptr;
    if (flag.placeholder.empty()) {
      option = sub->add_flag_callback(
          flag.name, [&arguments, name = flag.name] { arguments.values[name] = {"true"}; },
          flag.help);
    } else {
      const auto take = [&arguments, name = flag.name](const CLI::results_t& given) {
        arguments.values[name] = given;
        return true;
      };
      option = sub->add_option(flag.name, take, flag.help)->type_name(flag.placeholder);
      // Only these may be given again; elsewhere the second value would silently win.
      if (flag.name == "--set" || flag.name == "--include" || flag.name == "--data" ||
          flag.name == "--tolerance" || flag.name == "--from" || flag.name == "--candidate" ||
          flag.name == "--baseline" || flag.name == "--curve" ||
          (flag.name == "--model" && command.name == "sweep"))
        option->allow_extra_args(false)->expected(1, 1000);
      if (flag.name == "RUN") option->expected(1, 1000)->allow_extra_args();
    }
  }
  const auto& files = command.file_formats;
  CLI::Option* format = sub->add_option(
      "--format",
      [&arguments, &files](const CLI::results_t& given) {
        for (const std::string& word : given)
          arguments.values[std::ranges::count(files, word) > 0 ? kFileFormat : "--format"]
              .push_back(word);
        return true;
      },
      "human (default), json or quiet" + (files.empty() ? ""
                                                        : text("; and of the files ", files.front(),
                                                               " (default) or ", files.back())));
  format->type_name("FORMAT");
  if (!files.empty()) format->allow_extra_args(false)->expected(1, 2);
  return sub;
}

/// One word of each kind at most: the second would silently win.
void require_formats(const Arguments& arguments, const Command& command) {
  for (const char* kind : {"--format", kFileFormat})
    if (const auto found = arguments.values.find(kind);
        found != arguments.values.end() && found->second.size() > 1)
      throw Error(ErrorKind::kUsage,
                  text("--format was given as ", printable(found->second[0]), " and as ",
                       printable(found->second[1]), "; one of them is needed"));
  const std::string word = arguments.get("--format").value_or("human");
  const auto& files = command.file_formats;
  if (!files.empty() && word != "human" && word != "json" && word != "quiet")
    throw Error(ErrorKind::kUsage,
                text("--format is '", printable(word), "', needed human, json, quiet, ",
                     files.front(), " or ", files.back()));
}

/// Those of the launcher. Commands that share no work would each do all of it, into one folder.
Processes& processes_of(const Command& command) {
  if (command.several) {
    Processes& all = Processes::of_launcher();
    take_own_device(all);
    return all;
  }
  if (find_launch() != Launch::kAlone)
    throw Error(ErrorKind::kUsage,
                text("plumb ", command.name,
                     " runs in one process, and a launcher started several; heal, sweep and eval "
                     "are the commands that several can share"));
  static Processes alone;
  return alone;
}

/// One line for what CLI11 refused, with the nearest option that exists.
Error usage_error(const CLI::ParseError& error, const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  const CLI::App& where = chosen.empty() ? app : *chosen.front();
  const std::string help =
      text("; see plumb ", chosen.empty() ? "" : where.get_name() + " ", "--help");
  for (const std::string& word : where.remaining()) {
    std::vector<std::string> known;
    for (const CLI::Option* option : where.get_options()) known.push_back(option->get_name());
    const std::string near = word.rfind("-", 0) == 0 ? nearest(word, known) : "";
    return Error(ErrorKind::kUsage,
                 text("unexpected argument '", printable(word), "'",
                      near.empty() ? "" : text(", did you mean '", near, "'?"), help));
  }
  return Error(ErrorKind::kUsage, printable(error.what()) + help);
}

}  // namespace

std::optional<std::string> Arguments::get(const std::string& flag) const {
  const auto found = values.find(flag);
  if (found == values.end() || found->second.empty()) return std::nullopt;
  return found->second.front();
}

std::string Arguments::require(const std::string& flag) const {
  const auto value = get(flag);
  if (!value) throw Error(ErrorKind::kUsage, text(flag, " is missing; see --help"));
  return *value;
}

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      run_command(),     fetch_command(),       inspect_command(),       profile_command(),
      prune_command(),   heal_command(),        sweep_command(),         eval_command(),
      measure_command(), measure_one_command(), measure_child_command(), compare_command(),
      gate_command(),    baseline_command(),    verify_command(),        report_command(),
      doctor_command(),  cache_command()};
  return all;
}

int run_program(int argc, const char* const* argv) {
  install_signal_handlers();
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "help") words = asked_help(words);
  if (words.empty())
    throw Error(ErrorKind::kUsage, text("no command was given; plumb has ", listed(command_names()),
                                        "; see plumb --help"));
  if (words.front().rfind("-", 0) != 0) require_known_command(words.front());

  Arguments arguments;
  arguments.command_line = words;
  CLI::App app{"Measures how many of a language model's deeper layers it needs.", "plumb"};
  app.footer("Every command: plumb COMMAND --help");
  app.require_subcommand(0, 1);  // "verify" in `plumb cache verify` is no command
  bool version = false;
  app.add_flag("--version", version, "version and facts of the build");
  for (const Command& command : commands()) add_command(app, command, arguments);
  try {
    app.parse(
        std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them from the back
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    throw usage_error(error, app);
  }
  if (version) {
    const Console console(Format::kHuman);
    for (const std::string& line : version_lines()) console.say(line);
    return 0;
  }
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) throw Error(ErrorKind::kUsage, "no command was given; see plumb --help");
  for (const Command& command : commands())
    if (command.name == chosen.front()->get_name()) {
      require_formats(arguments, command);
      const Format format = parse_format(arguments.get("--format").value_or("human"));
      arguments.processes = &processes_of(command);
      // One of them speaks.
      const Console console(arguments.processes->is_first() ? format : Format::kQuiet);
      const int code = command.run(arguments, console);
      arguments.processes->end();
      return code;
    }
  throw Error(ErrorKind::kInternal, "the command line's command has no function");
}

}  // namespace plumb::harness
