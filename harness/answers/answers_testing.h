#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/hash.h"
#include "harness/answers/answer_log.h"

/// Logs of answers for tests alone.
namespace plumb::harness::testing {

/// A line as `plumb eval` writes it; `changed` members replace its own, those that are null are
/// left out.
inline std::string log_line(int question, bool right, const nlohmann::ordered_json& changed = {}) {
  nlohmann::ordered_json line = {
      {"task", "own"},
      {"strategy", "simple"},
      {"n", 7},
      {"removed", "22-28"},
      {"doc_id", question},
      {"doc_hash", sha256_hex("document " + std::to_string(question))},
      {"prompt_hash", sha256_hex("prompt " + std::to_string(question))},
      {"target_hash", sha256_hex("target")},
      {"target", 1},
      {"values", right ? std::vector<double>{-3.5, -1.25} : std::vector<double>{-1.25, -3.5}},
      {"answer", right ? 1 : 0},
      {"acc", right ? 1 : 0}};
  if (changed.is_object()) line.update(changed);
  nlohmann::ordered_json kept;
  for (const auto& [key, value] : line.items())
    if (!value.is_null()) kept[key] = value;
  return kept.dump() + "\n";
}

/// A line for each of the answers "1" and "0" of questions first, first + 1, ...
inline std::string log_lines(const std::string& answers, int first = 0,
                             const nlohmann::ordered_json& changed = {}) {
  std::string out;
  for (size_t i = 0; i < answers.size(); ++i)
    out += log_line(first + static_cast<int>(i), answers[i] == '1', changed);
  return out;
}

inline AnswerLog log_of(const std::string& lines) {
  AnswerLogBuilder builder;
  size_t begin = 0;
  for (size_t end; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1)
    builder.add(parse_answer_line(std::string_view(lines).substr(begin, end - begin)));
  return {"log", builder.take()};
}

}  // namespace plumb::harness::testing
