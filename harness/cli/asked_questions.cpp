#include "harness/cli/asked_questions.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace plumb::harness {

namespace {

int64_t number_or(const Arguments& arguments, const std::string& flag, int64_t least,
                  int64_t otherwise) {
  return arguments.has(flag) ? whole_number(arguments, flag, least) : otherwise;
}

/// What --data says: at most one folder, and files of single tasks.
struct Data {
  std::string folder;
  std::map<std::string, std::string> files;
};

Data data_of(const Arguments& arguments, const std::vector<std::string>& tasks) {
  Data out;
  const auto given = arguments.values.find("--data");
  if (given == arguments.values.end()) return out;
  for (const std::string& word : given->second) {
    const size_t equals = word.find('=');
    const std::string task = word.substr(0, equals);
    const bool asked = std::find(tasks.begin(), tasks.end(), task) != tasks.end();
    if (equals != std::string::npos && asked) {
      if (!out.files.emplace(task, word.substr(equals + 1)).second)
        throw Error(ErrorKind::kUsage, text("--data names two files for task ", printable(task)));
    } else if (equals != std::string::npos && !std::filesystem::exists(word)) {
      throw Error(ErrorKind::kUsage,
                  text("--data ", printable(word), " is no folder, and ", printable(task),
                       " is none of the tasks that are asked; needed is DIR or TASK=FILE"));
    } else if (!out.folder.empty()) {
      throw Error(ErrorKind::kUsage, text("--data names two folders, ", printable(out.folder),
                                          " and ", printable(word), "; one is needed"));
    } else {
      out.folder = word;
    }
  }
  return out;
}

}  // namespace

std::vector<Flag> plan_flags() {
  return {{"--plans", "FILE", "", "plans.csv of `plumb profile` for the strategy similarity"},
          {"--strategies", "LIST", "sweep.strategies",
           "similarity, simple, deepest, random, block-influence; default similarity,simple"},
          {"--n", "RANGE", "sweep.n", "blocks removed, such as 0-28 or 0-28:2; default 0..L-2"},
          {"--special-tokens", "", "special_tokens", "add BOS or EOS as the tokenizer says"},
          {"--fresh", "", "",
           "begin anew where a run of other settings was interrupted in --out; without it the same "
           "command goes on"}};
}

std::vector<Flag> question_flags(const std::string& tasks) {
  return {{"--tasks", "LIST", "", tasks},
          {"--data", "DIR|TASK=FILE", "",
           "folder with the tasks' files, as `plumb fetch --dataset` writes them; again for the "
           "file of one task"},
          {"--questions", "FILE", "", "questions instead of the task's own, for a single task"},
          {"--limit-questions", "N", "", "the first N questions of each task"},
          {"--sample", "N", "", "N questions of each task, drawn by the seed"},
          {"--shots", "K", "", "examples before each question; default: the task's"},
          {"--rows-per-pack", "N", "rows_per_pack",
           "tokens of the questions that are run together; default 0: by the model's width"}};
}

std::vector<AskedTask> ask_tasks(Session& session, const Arguments& arguments,
                                 const std::string& otherwise, const std::string& limit_flag) {
  const std::string list = arguments.get("--tasks").value_or(otherwise);
  const auto of_questions = {"--data", "--questions", "--limit-questions", "--sample", "--shots"};
  if (list.empty()) {
    for (const char* flag : of_questions)
      if (arguments.has(flag))
        throw Error(ErrorKind::kUsage,
                    text(flag, " is about questions, and --tasks names no task"));
    return {};
  }
  const std::vector<std::string> names = split_list(list);
  if (arguments.has("--questions") && names.size() > 1)
    throw Error(ErrorKind::kUsage,
                text("--questions is for one task; ", names.size(), " were asked for"));
  const Data data = data_of(arguments, names);
  const bool other = !limit_flag.empty() && arguments.has(limit_flag);
  std::vector<AskedTask> asked;
  for (const std::string& name : names) {
    const auto file = data.files.find(name);
    asked.push_back(
        ask(session,
            {name, data.folder,
             file != data.files.end() ? file->second : arguments.get("--questions").value_or(""),
             number_or(arguments, other ? limit_flag : "--limit-questions", 1, 0),
             number_or(arguments, "--sample", 1, 0), number_or(arguments, "--shots", 0, -1)}));
  }
  require_names(asked);
  return asked;
}

}  // namespace plumb::harness
