#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "harness/answers/answer_line.h"

namespace plumb::harness {

struct LoggedQuestion {
  std::string doc_hash, prompt_hash, target_hash, cluster;
  int64_t doc_id = 0;
};

/// What one plan answered to a task's questions, in the order of the log.
struct LoggedPlan {
  std::string strategy;
  int64_t n = 0;
  std::string removed;
  std::vector<uint32_t> questions;        ///< numbers in TaskLog::questions
  std::vector<uint8_t> right;             ///< 0 or 1 for each
  std::vector<uint8_t> right_normalised;  ///< as many, or none
  std::vector<double> right_log_share;    ///< as many, or none

  std::string name() const;  ///< "similarity:7"
};

struct TaskLog {
  std::string task;
  std::vector<LoggedQuestion> questions;
  std::vector<LoggedPlan> plans;
};

/// A log of answers: of every line its bits, not its bytes (about 15 bytes of memory for each).
struct AnswerLog {
  std::string name;  ///< of the file or folder, as it was given
  std::vector<TaskLog> tasks;
};

/// Reads a log (JSONL), or a folder of `plumb eval` or `plumb run`: all of its questions/*.jsonl,
/// or the answers.jsonl of earlier releases. A file is read as a stream.
///
/// Error{kInput} with file and line for a line that is none (`parse_answer_line`), an answer that
/// its plan has given already, or a line that contradicts an earlier one: another prompt or cluster
/// of the same question, other removed blocks of the same plan, a measure that only some lines of a
/// plan have. And for no answers, or a folder without logs.
AnswerLog read_answer_log(const std::filesystem::path& path);

/// Collects lines into logs of tasks. Two rows of a question file may hold the same question (MMLU
/// has 27 such), so that a question is its hashes and its doc_id.
class AnswerLogBuilder {
 public:
  AnswerLogBuilder();
  ~AnswerLogBuilder();
  /// Error{kInput} as `read_answer_log`, without file and line.
  void add(const AnswerLine& line);
  std::vector<TaskLog> take();

 private:
  struct Task;
  std::vector<Task> tasks_;
  std::unordered_map<std::string, size_t> numbers_;
};

}  // namespace plumb::harness
