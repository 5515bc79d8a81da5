#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/tasks/task.h"

/// Rows of a question file: JSON lines (models/document_reader.h's rules for lines, gzip too), one question each:
///
///     {"question": "The opposite of hot is", "choices": ["wet", "cold", "old", "red"], "answer": 1, "topic": "words"}
///
/// answer is the right choice's index from 0; with scoring `generate` it is the right text, and there are no choices.
/// The fields that the task's templates, cluster and shots use are texts or integers. Others are not looked at.
namespace plumb::metrics {

struct Question {
  int64_t line = 0;                                         ///< in the file, from 1
  std::vector<std::pair<std::string, std::string>> fields;  ///< of Task::row_fields, by their order
  std::vector<std::string> choices;
  int64_t answer = 0;       ///< index into choices
  std::string answer_text;  ///< of scoring generate
  /// sha256 of the row as lm-eval 0.4.13 writes it for its doc_hash: json.dumps(row, indent=2, ensure_ascii=False).
  /// The same as there for a row of the same fields in the same order.
  std::string doc_hash;

  /// Error{kInvariant} for a name that is none of the task's row fields.
  const std::string& field(std::string_view name) const;
};

struct QuestionFile {
  std::string name;    ///< without folder
  std::string sha256;  ///< of the bytes as they are on disk
  std::vector<Question> questions;
  int64_t repeated_choices = 0;  ///< rows in which two choices are equal, where the task allows it
};

/// Where a task's questions are below --data. Error{kUsage} for a task that names no file.
std::filesystem::path question_path(const Task& task, const std::filesystem::path& data);
std::filesystem::path shot_path(const Task& task, const std::filesystem::path& data);

/// The questions of a file for a task. Error{kInput} with file and line (from 1): a missing or empty file, a blank line,
/// invalid UTF-8 or NUL, what is no strict JSON object, a missing field or one of another type, an empty text, fewer than 2
/// choices or more than 26, two equal choices where the task does not allow them, an answer that is none of them.
QuestionFile read_questions(const Task& task, const std::filesystem::path& file);
/// The same of bytes; `name` is for messages.
QuestionFile parse_questions(const Task& task, std::string_view bytes, const std::string& name);
/// The task's own, that are part of the program. Error{kUsage} where it has none.
QuestionFile built_in_question_file(const Task& task);

/// The cluster of every question as a number from 0, by first appearance; without a cluster field each is its own.
std::vector<int64_t> clusters(const Task& task, std::span<const Question> questions);

/// Where shots are drawn from: for each value of the field `same` its questions in file order. Keeps pointers into the
/// questions, which must outlive it.
class ShotPool {
 public:
  ShotPool() = default;  ///< has none
  ShotPool(const Task& task, std::span<const Question> questions);
  /// The first `count` for a question, leaving out any whose row is the question's own. Error{kInput} with both numbers
  /// where there are fewer.
  std::vector<const Question*> first(const Question& question, int64_t count) const;

 private:
  std::string same_;
  std::map<std::string, std::vector<const Question*>, std::less<>> by_group_;
};

}  // namespace plumb::metrics
