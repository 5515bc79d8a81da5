#include "metrics/tasks/question.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json_fields.h"
#include "metrics/tasks/built_in.h"
#include "models/document_reader.h"

namespace plumb::metrics {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostChoices = 26;  // letters

[[noreturn]] void misfit(const std::string& field, const std::string& found,
                         const std::string& needed) {
  throw Error(ErrorKind::kInput, text("'", field, "' ", found, "; needed is ", needed));
}

std::string shown(const Json& value) {
  if (value.is_structured() || value.is_null()) return value.type_name();
  return value.is_string() ? shown_text(value.get_ref<const std::string&>()) : value.dump();
}

const Json& member(const Json& row, const std::string& field) {
  const auto found = row.find(field);
  if (found != row.end()) return *found;
  std::string names;
  for (const auto& item : row.items()) names += (names.empty() ? "" : ", ") + item.key();
  misfit(field, "is missing",
         text("that field; the row has ", names.empty() ? "none" : shown_text(names)));
}

std::string filled_text(const Json& value, const std::string& field) {
  if (!value.is_string()) misfit(field, "is " + shown(value), "a text");
  const auto& found = value.get_ref<const std::string&>();
  if (stripped(found).empty()) misfit(field, "is empty", "a text");
  return found;
}

std::string field_text(const Json& row, const std::string& field) {
  const Json& value = member(row, field);
  if (value.is_number_integer()) return value.dump();
  if (!value.is_string()) misfit(field, "is " + shown(value), "a text or an integer");
  return filled_text(value, field);
}

std::vector<std::string> row_choices(const Json& row) {
  const Json& value = member(row, "choices");
  if (!value.is_array()) misfit("choices", "is " + shown(value), "a list of texts");
  std::vector<std::string> out;
  for (const Json& one : value) out.push_back(filled_text(one, text("choices[", out.size(), "]")));
  if (out.size() < 2 || out.size() > kMostChoices)
    misfit("choices", text("has ", out.size(), " entries"), text("2 to ", kMostChoices));
  return out;
}

int64_t row_answer(const Json& row, size_t choices) {
  const Json& value = member(row, "answer");
  const std::string needed = text("an integer from 0 to ", choices - 1);
  if (!value.is_number_integer()) misfit("answer", "is " + shown(value), needed);
  const bool negative = !value.is_number_unsigned() && value.get<int64_t>() < 0;
  if (negative || value.get<uint64_t>() >= choices) misfit("answer", "is " + shown(value), needed);
  return value.get<int64_t>();
}

/// A pair of equal choices, as its message says it, or nothing.
std::string repeated(const std::vector<std::string>& choices) {
  for (size_t j = 0; j < choices.size(); ++j)
    for (size_t i = 0; i < j; ++i)
      if (choices[i] == choices[j]) return text("has the same text at ", i, " and ", j);
  return "";
}

Question parse_row(const Task& task, const std::vector<std::string>& fields, const Json& row,
                   QuestionFile& file) {
  if (!row.is_object())
    throw Error(ErrorKind::kInput, text("the row is ", shown(row), "; needed is an object"));
  Question question;
  for (const std::string& field : fields)
    question.fields.emplace_back(field, field_text(row, field));
  if (task.scoring == Scoring::kGenerate) {
    question.answer_text = filled_text(member(row, "answer"), "answer");
  } else {
    question.choices = task.choices.empty() ? row_choices(row) : task.choices;
    question.answer = row_answer(row, question.choices.size());
  }
  if (const std::string found = repeated(question.choices); !found.empty()) {
    if (!task.repeated_choices) misfit("choices", found, "a different text for each");
    ++file.repeated_choices;
  }
  // nlohmann and Python write strings, integers, lists and objects alike.
  question.doc_hash = sha256_hex(row.dump(2));
  return question;
}

}  // namespace

const std::string& Question::field(std::string_view name) const {
  for (const auto& [field, value] : fields)
    if (field == name) return value;
  throw Error(ErrorKind::kInvariant, text("a question has no field '", name, "'"));
}

std::filesystem::path question_path(const Task& task, const std::filesystem::path& data) {
  if (task.questions.empty())
    throw Error(ErrorKind::kUsage,
                text("the task '", task.name, "' names no question file; give --data ", task.name,
                     "=FILE"));
  return data / task.questions;
}

std::filesystem::path shot_path(const Task& task, const std::filesystem::path& data) {
  if (task.shots.file.empty())
    throw Error(ErrorKind::kUsage,
                text("the task '", task.name, "' has no shots; needed is 'shots' in its file"));
  return data / task.shots.file;
}

QuestionFile parse_questions(const Task& task, std::string_view bytes, const std::string& name) {
  QuestionFile file;
  file.name = name;
  file.sha256 = sha256_hex(bytes);
  const std::vector<std::string> fields = task.row_fields();
  models::LineReader lines(bytes.starts_with("\x1F\x8B") ? models::gzip_source(bytes)
                                                         : models::plain_source(bytes));
  try {
    while (const auto line = lines.next()) {
      try {
        if (stripped(*line).empty())
          throw Error(ErrorKind::kInput, "is blank; needed is a question on every line");
        file.questions.push_back(parse_row(task, fields, parse_json(*line), file));
        file.questions.back().line = lines.line();
      } catch (const Error& error) {
        throw error.within(text("line ", lines.line()));
      }
    }
  } catch (const Error& error) {
    throw error.within(name);
  }
  if (file.questions.empty())
    throw Error(ErrorKind::kInput, text("'", name, "' holds no question; needed is at least one"));
  return file;
}

QuestionFile read_questions(const Task& task, const std::filesystem::path& file) {
  return parse_questions(task, read_file(file), file.filename().string());
}

QuestionFile built_in_question_file(const Task& task) {
  const std::string_view bytes = built_in_questions(task.built_in);
  if (bytes.empty())
    throw Error(ErrorKind::kUsage,
                text("the task '", task.name, "' has no questions of the program's own"));
  return parse_questions(task, bytes, task.built_in + ".jsonl");
}

std::vector<int64_t> clusters(const Task& task, std::span<const Question> questions) {
  std::vector<int64_t> out;
  std::map<std::string, int64_t> numbers;
  for (const Question& question : questions) {
    const auto next = static_cast<int64_t>(task.cluster.empty() ? out.size() : numbers.size());
    out.push_back(task.cluster.empty()
                      ? next
                      : numbers.try_emplace(question.field(task.cluster), next).first->second);
  }
  return out;
}

ShotPool::ShotPool(const Task& task, std::span<const Question> questions) : same_(task.shots.same) {
  for (const Question& question : questions)
    by_group_[same_.empty() ? "" : question.field(same_)].push_back(&question);
}

std::vector<const Question*> ShotPool::first(const Question& question, int64_t count) const {
  std::vector<const Question*> out;
  const std::string group = count == 0 || same_.empty() ? "" : question.field(same_);
  if (const auto found = by_group_.find(group); found != by_group_.end())
    for (const Question* shot : found->second)
      if (static_cast<int64_t>(out.size()) < count && shot->doc_hash != question.doc_hash)
        out.push_back(shot);
  if (static_cast<int64_t>(out.size()) < count)
    throw Error(ErrorKind::kInput,
                text("there are ", out.size(), " shots",
                     same_.empty() ? "" : " with " + same_ + " " + shown_text(group),
                     ", asked for are ", count));
  return out;
}

}  // namespace plumb::metrics
