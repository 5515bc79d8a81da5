#include "metrics/tasks/answer.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "models/tokenizer/regex.h"

namespace plumb::metrics {
namespace {

/// Every match of `pattern`, as [begin, end); an empty one is none.
std::vector<std::pair<size_t, size_t>> matches(const std::string& pattern,
                                               const std::string& subject) {
  std::vector<std::pair<size_t, size_t>> out;
  try {
    const models::Regex regex(pattern);
    models::RegexScratch scratch;
    for (size_t at = 0; at < subject.size();) {
      const auto found = regex.find(subject, at, scratch);
      if (!found) break;
      if (found->second > found->first) out.push_back(*found);
      at = std::max(found->second, at + 1);
      while (at < subject.size() && (static_cast<uint8_t>(subject[at]) & 0xC0) == 0x80) ++at;
    }
  } catch (const Error& error) {
    throw error.within(text("the expression '", pattern, "'"));
  }
  return out;
}

std::optional<std::string> extracted(const Generation& generation, const std::string& from) {
  if (generation.extract.empty()) return std::string(stripped(from));
  const auto found = matches(generation.extract, from);
  if (found.empty()) return std::nullopt;
  const auto [begin, end] = generation.last ? found.back() : found.front();
  return from.substr(begin, end - begin);
}

std::string without_ignored(const Generation& generation, std::string value) {
  for (const std::string& pattern : generation.ignore) {
    auto found = matches(pattern, value);
    std::reverse(found.begin(), found.end());
    for (const auto& [begin, end] : found) value.erase(begin, end - begin);
  }
  if (generation.ignore_case)
    for (char& c : value)
      if (static_cast<uint8_t>(c) < 0x80)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return value;
}

}  // namespace

Choice largest(std::span<const double> values, int64_t right) {
  if (values.empty()) throw Error(ErrorKind::kInput, "there are no values to choose from");
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw Error(ErrorKind::kInput, text("the value of choice ", i, " is ", values[i],
                                          "; needed is a finite number"));
  const auto best = std::max_element(values.begin(), values.end());  // the first of equal ones
  double next = -std::numeric_limits<double>::infinity();
  for (auto value = values.begin(); value != values.end(); ++value)
    if (value != best) next = std::max(next, *value);
  const int64_t index = best - values.begin();
  return {index, *best - next, index == right};
}

Answer choose(const Task& task, const Question& question, std::span<const double> values) {
  if (values.size() != question.choices.size())
    throw Error(ErrorKind::kInvariant, text(values.size(), " values for ", question.choices.size(),
                                            " choices of line ", question.line));
  Answer answer;
  answer.best = largest(values, question.answer);
  if (task.has_metric("acc_norm")) {
    std::vector<double> normalised(values.begin(), values.end());
    for (size_t i = 0; i < normalised.size(); ++i)
      normalised[i] /= static_cast<double>(character_count(question.choices[i]));
    answer.normalised = largest(normalised, question.answer);
  }
  return answer;
}

std::string before_stop(const Generation& generation, const std::string& written) {
  size_t end = written.size();
  for (const std::string& stop : generation.stop) end = std::min(end, written.find(stop));
  return written.substr(0, end);
}

WrittenAnswer judge(const Task& task, const Question& question, const std::string& written) {
  if (!task.generate)
    throw Error(ErrorKind::kInvariant, text("the task '", task.name, "' writes nothing"));
  const Generation& generation = *task.generate;
  const auto said = extracted(generation, before_stop(generation, written));
  if (!said) return {};
  const std::string right =
      extracted(generation, question.answer_text).value_or(question.answer_text);
  return {*said, true, without_ignored(generation, *said) == without_ignored(generation, right)};
}

}  // namespace plumb::metrics
