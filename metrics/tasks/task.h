#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/tasks/template.h"

/// A question-answering task as data. A JSON file says which rows are asked how, and what of the model is read:
///
///     name, version    identify it in every result
///     protocol         whose prompts these are ("hendrycks", "lm-eval 0.4.13", "plumb")
///     note             what a reader of the numbers has to know (may be missing)
///     questions        file under --data, "mmlu/mmlu_test.jsonl"; or
///     built_in         name of a question file that is part of the program; neither: the user names a file
///     choices          texts that every row has for choices (then rows have none), such as no and yes
///     repeated_choices true: a row's choices may be equal to each other (default false)
///     description      template, once in front of everything (default "")
///     prompt           template of a question: fields of the row, {choices}; with scoring `context` {choice} too
///     choice           template of one of the lines {choices}: {letter}, {choice} (default "{letter}. {choice}")
///     choice_delimiter between those lines (default "\n")
///     target_delimiter between prompt and target (default " ")
///     target           template of what follows (default by scoring: {letter}, {choice}, {answer})
///     shot_delimiter   after each shot (default "\n\n")
///     shots            {"questions": file, "count": default number, "same": field that question and shot share,
///                      "overflow": "cut" | "drop"}; may be missing
///     scoring          letter | continuation | context | generate
///     generate         {"stop": [...], "max_tokens": n, "extract": regex, "take": "first" | "last", "ignore":
///                      [regex], "ignore_case": bool}; with scoring generate alone
///     metrics          of acc, acc_norm; exact_match for generate
///     cluster          field whose equal values belong together, for intervals (may be missing)
///     chance           accuracy without knowledge: a number, "uniform" (mean of 1 / number of choices) or "majority"
///                      (share of the most frequent answer)
///
/// White space and delimiters are taken as they stand.
namespace plumb::metrics {

struct QuestionFile;

/// What of the model decides.
enum class Scoring {
  kLetter,        ///< the logits of the choices' letters after the prompt
  kContinuation,  ///< the sum of log-probabilities of each choice after the prompt
  kContext,       ///< the same of one text after each of several prompts
  kGenerate,      ///< the text that is written greedily after the prompt
};

struct Shots {
  std::string file;  ///< under --data; empty: the task has none
  int64_t count = 0;
  std::string same;
  /// A prompt that is too long loses its last shots (counted) rather than its first tokens.
  bool drop = false;
};

struct Generation {
  std::vector<std::string> stop;  ///< the text ends before the first of these
  int64_t max_tokens = 0;
  std::string
      extract;  ///< the answer is this expression's first or last match; empty: the whole text
  bool last = false;
  std::vector<std::string> ignore;  ///< matches are taken out of the answer and of what is right
  bool ignore_case = false;
};

struct Chance {
  enum class Kind { kNumber, kUniform, kMajority };
  Kind kind = Kind::kUniform;
  double value = 0;  ///< of kNumber, in (0, 1)
};

struct Task {
  std::string name;
  int64_t version = 0;
  std::string protocol;
  std::string note;
  std::string questions;
  std::string built_in;
  std::vector<std::string> choices;
  bool repeated_choices = false;
  Template description, prompt, choice, target;
  std::string choice_delimiter, target_delimiter, shot_delimiter;
  Shots shots;
  Scoring scoring = Scoring::kContinuation;
  std::optional<Generation> generate;
  std::vector<std::string> metrics;
  std::string cluster;
  Chance chance;
  std::string sha256;  ///< of the task file's text

  bool has_metric(std::string_view metric) const;
  /// Whether the cluster field names fixed groups, such as subjects, which no prompt shows; else equal values are what
  /// questions share, such as a passage, or there is no such field.
  bool has_fixed_groups() const;
  /// The fields that a row must have, as texts or integers, beside choices and answer; each once.
  std::vector<std::string> row_fields() const;
};

/// Error{kUsage} naming the key, what it is and what is needed; Error{kInput} for what is no strict JSON.
Task parse_task(std::string_view json);
/// The same, with the file's name.
Task read_task(const std::filesystem::path& file);

/// A task of the program by name, or nullptr: mmlu mmlu_lm_eval boolq hellaswag arc_easy arc_challenge piqa winogrande
/// smoke multiple_choice.
const Task* find_task(std::string_view name);
/// All of them.
std::span<const Task> tasks();

/// "letter", "continuation", "context", "generate".
const char* scoring_name(Scoring scoring);

/// Accuracy without knowledge, in (0, 1]; 0 with scoring generate. Error{kInput} for no question.
double chance_level(const Task& task, const QuestionFile& file);

}  // namespace plumb::metrics
