#include "harness/answers/answer_line.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_fields.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kHashDigits = 64;

[[noreturn]] void refuse(const char* key, const std::string& found, const char* needed) {
  throw Error(ErrorKind::kInput, text("'", key, "' is ", found, "; needed is ", needed));
}

/// nullptr where the line has no such member, or null.
const Json* find(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found == line.end() || found->is_null() ? nullptr : &*found;
}

const Json& require(const Json& line, const char* key, const char* needed) {
  if (const Json* found = find(line, key)) return *found;
  refuse(key, "missing", needed);
}

std::string word(const Json& line, const char* key, const char* needed) {
  const Json& found = require(line, key, needed);
  if (!found.is_string()) refuse(key, text("a JSON ", found.type_name()), needed);
  return found.get<std::string>();
}

int64_t count(const Json& line, const char* key, const char* needed) {
  const Json& found = require(line, key, needed);
  // Every whole number from 0 up is read as unsigned.
  if (!found.is_number_unsigned() || found.get<uint64_t>() > uint64_t{1} << 53)
    refuse(key, found.is_number() ? found.dump() : text("a JSON ", found.type_name()), needed);
  return found.get<int64_t>();
}

std::string hash(const Json& line, const char* key) {
  constexpr const char* kNeeded = "a sha256 in 64 lower-case hexadecimal digits";
  const std::string digits = word(line, key, kNeeded);
  const bool sound = digits.size() == kHashDigits && std::ranges::all_of(digits, [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (!sound) refuse(key, text("a text of ", digits.size(), " bytes that is none"), kNeeded);
  return digits;
}

bool truth(const Json& line, const char* key) {
  const int64_t value = count(line, key, "0 (wrong) or 1 (right)");
  if (value > 1) refuse(key, text(value), "0 (wrong) or 1 (right)");
  return value == 1;
}

std::string cluster(const Json& line) {
  const Json* found = find(line, "cluster");
  if (found == nullptr) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return found->dump();
  refuse("cluster", text("a JSON ", found->type_name()), "a text or a whole number");
}

std::optional<double> right_log_share(const Json& line) {
  const Json* values = find(line, "values");
  const Json* target = find(line, "target");
  if (values == nullptr || target == nullptr || !target->is_number_unsigned()) return std::nullopt;
  constexpr const char* kNeeded = "a list of finite numbers, one for each choice";
  if (!values->is_array()) refuse("values", text("a JSON ", values->type_name()), kNeeded);
  for (const Json& value : *values)
    if (!value.is_number() || !std::isfinite(value.get<double>()))
      refuse("values", text("a list with a JSON ", value.type_name()), kNeeded);
  const auto right = target->get<uint64_t>();
  if (right >= values->size())
    refuse("target", text(right, " with ", values->size(), " values"), "the number of one of them");
  double largest = -INFINITY, sum = 0;
  for (const Json& value : *values) largest = std::max(largest, value.get<double>());
  for (const Json& value : *values) sum += std::exp(value.get<double>() - largest);
  const double share = (*values)[right].get<double>() - largest - std::log(sum);
  if (!std::isfinite(share)) refuse("values", "a list too far apart for a double", kNeeded);
  return share;
}

}  // namespace

AnswerLine parse_answer_line(std::string_view line) {
  const Json json = parse_json(line);
  if (!json.is_object())
    throw Error(ErrorKind::kInput, text("a JSON ", json.type_name(),
                                        "; needed is an object, an answer of `plumb eval`"));
  AnswerLine out;
  out.task = word(json, "task", "a task's name");
  out.strategy = word(json, "strategy", "a strategy's name");
  out.n = count(json, "n", "the number of blocks removed");
  out.removed = word(json, "removed", "a text such as 12-18");
  out.doc_id = count(json, "doc_id", "the question's row, from 0");
  out.doc_hash = hash(json, "doc_hash");
  out.prompt_hash = hash(json, "prompt_hash");
  out.target_hash = hash(json, "target_hash");
  out.cluster = cluster(json);
  out.right = truth(json, "acc");
  if (find(json, "acc_norm") != nullptr) out.right_normalised = truth(json, "acc_norm");
  out.right_log_share = right_log_share(json);
  return out;
}

}  // namespace plumb::harness
