#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/testing.h"
#include "metrics/tasks/request.h"

/// Helpers of the tests of tasks alone.
namespace plumb::metrics::testing {

using Json = nlohmann::ordered_json;

/// fixtures/golden/task_prompts.json; make_task_prompts.py says what stands in it.
inline const Json& golden() {
  static const Json parsed =
      Json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/task_prompts.json"));
  return parsed;
}

inline std::filesystem::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A task of the program.
inline const Task& task(const std::string& name) {
  const Task* found = find_task(name);
  if (found == nullptr) throw Error(ErrorKind::kInternal, "no task " + name);
  return *found;
}

/// The task file of the program with some members changed; null takes one away.
inline Task changed(const std::string& name, const Json& changes) {
  Json json = Json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/tasks/" + name + ".json"));
  for (const auto& [key, value] : changes.items())
    value.is_null() ? static_cast<void>(json.erase(key)) : static_cast<void>(json[key] = value);
  return parse_task(json.dump());
}

/// Rows as the lines of a file.
inline QuestionFile file_of(const Task& task, const Json& rows) {
  std::string lines;
  for (const Json& row : rows) lines += row.dump() + "\n";
  return parse_questions(task, lines, "rows.jsonl");
}

/// The default model's tokenizer, or none where PLUMB_TEST_MODEL names no model.
inline std::optional<models::Tokenizer> smollm2() {
  const auto model = from_environment("PLUMB_TEST_MODEL");
  if (model.empty()) return std::nullopt;
  return models::Tokenizer::open(model);
}
constexpr const char* kNoModel = "PLUMB_TEST_MODEL names no model";

/// A tokenizer that every checkout can have: one token a byte, and those of `merges` ("a|b": a and b become one), which
/// know no words, so that they reach across spaces. With `bos`, a
/// token <s> before every text.
models::Tokenizer byte_tokenizer(const std::vector<std::string>& merges, bool bos = false);

}  // namespace plumb::metrics::testing
