#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plumb::harness {

/// One line of a log of answers, as `plumb eval` writes it to questions/<task>.jsonl: what one plan
/// answered to one question.
struct AnswerLine {
  std::string task;
  std::string strategy;
  int64_t n = 0;                                   ///< blocks removed
  std::string removed;                             ///< as in CSVs: "12-18"
  int64_t doc_id = 0;                              ///< row of the question in its file, from 0
  std::string doc_hash, prompt_hash, target_hash;  ///< sha256 in lower-case hexadecimal
  std::string cluster;                             ///< of the question; empty: the log names none
  bool right = false;
  std::optional<bool> right_normalised;  ///< by acc_norm
  /// ln of the right choice's share among the choices, values[target] - ln sum exp(values): the
  /// same of logits and of log-probabilities. None where the line has no values or no number of the
  /// right one.
  std::optional<double> right_log_share;
};

/// Members that are not known are passed over. Error{kInput} with what was found and what was
/// needed, for what is not such a line: not strict JSON, a member missing or of another kind, a
/// hash that is none, a value that is not finite.
AnswerLine parse_answer_line(std::string_view line);

}  // namespace plumb::harness
