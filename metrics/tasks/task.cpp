#include "metrics/tasks/task.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json_fields.h"
#include "metrics/tasks/built_in.h"
#include "metrics/tasks/question.h"

namespace plumb::metrics {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kScorings[] = {"letter", "continuation", "context", "generate"};
constexpr int64_t kMostShots = 1000;
constexpr int64_t kMostTokens = 1'000'000;

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

/// Members of one object, by type. Errors name "path.key".
class Members {
 public:
  Members(const Json& object, std::string path, const std::vector<std::string>& known)
      : object_(object), path_(std::move(path)) {
    require_known_keys(object, known, path_);
  }

  bool has(const std::string& key) const { return object_.contains(key); }
  const Json& at(const std::string& key, const char* needed) const {
    if (!has(key)) fail(key, "is missing", needed);
    return object_.at(key);
  }

  std::string text_at(const std::string& key) const {
    const Json& value = at(key, "a text");
    if (!value.is_string()) fail(key, text("is ", value.type_name()), "a text");
    return value.get<std::string>();
  }
  std::string text_at(const std::string& key, const std::string& missing) const {
    return has(key) ? text_at(key) : missing;
  }

  std::string filled(const std::string& key) const {
    const std::string value = text_at(key);
    if (value.empty()) fail(key, "is empty", "a text");
    return value;
  }

  std::string one_of(const std::string& key, const std::vector<std::string>& words) const {
    const std::string value = text_at(key);
    if (std::find(words.begin(), words.end(), value) == words.end())
      fail(key, text("is '", value, "'"), "one of " + listed(words));
    return value;
  }

  std::vector<std::string> texts_at(const std::string& key) const {
    const Json& value = at(key, "a list of texts");
    std::vector<std::string> out;
    if (!value.is_array()) fail(key, text("is ", value.type_name()), "a list of texts");
    for (const Json& one : value) {
      if (!one.is_string() || one.get_ref<const std::string&>().empty())
        fail(key, text("holds ", one.is_string() ? "an empty text" : one.type_name()),
             "a list of texts");
      out.push_back(one.get<std::string>());
    }
    return out;
  }

  int64_t integer_at(const std::string& key, int64_t least, int64_t most) const {
    const std::string needed = text("an integer from ", least, " to ", most);
    const Json& value = at(key, needed.c_str());
    if (!value.is_number_integer()) fail(key, text("is ", value.type_name()), needed);
    const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
    if (huge || value.get<int64_t>() < least || value.get<int64_t>() > most)
      fail(key, text("is ", value.dump()), needed);
    return value.get<int64_t>();
  }

  bool truth_at(const std::string& key) const {
    if (!has(key)) return false;
    const Json& value = object_.at(key);
    if (!value.is_boolean()) fail(key, text("is ", value.type_name()), "true or false");
    return value.get<bool>();
  }

  Template template_at(const std::string& key, const std::string& missing) const {
    try {
      return Template::parse(text_at(key, missing));
    } catch (const Error& error) {
      throw error.within(text("'", path_, ".", key, "'"));
    }
  }

  [[noreturn]] void fail(const std::string& key, const std::string& found,
                         const std::string& needed) const {
    throw Error(ErrorKind::kUsage, text("'", path_, ".", key, "' ", found, "; needed is ", needed));
  }

 private:
  const Json& object_;
  std::string path_;
};

/// "mmlu/mmlu_test.jsonl": below --data, whatever --data is.
std::string file_at(const Members& members, const std::string& key) {
  const std::string file = members.filled(key);
  const std::filesystem::path path(file);
  bool climbs = path.is_absolute();
  for (const auto& part : path) climbs = climbs || part == "..";
  if (climbs) members.fail(key, text("is '", file, "'"), "a path below the folder of --data");
  return file;
}

Shots parse_shots(const Json& json) {
  const Members members(json, "task.shots", {"questions", "count", "same", "overflow"});
  Shots shots;
  shots.file = file_at(members, "questions");
  shots.count = members.integer_at("count", 0, kMostShots);
  if (members.has("same")) shots.same = members.filled("same");
  if (members.has("overflow")) shots.drop = members.one_of("overflow", {"cut", "drop"}) == "drop";
  return shots;
}

Generation parse_generation(const Json& json) {
  const Members members(json, "task.generate",
                        {"stop", "max_tokens", "extract", "take", "ignore", "ignore_case"});
  Generation out;
  if (members.has("stop")) out.stop = members.texts_at("stop");
  out.max_tokens = members.integer_at("max_tokens", 1, kMostTokens);
  out.extract = members.text_at("extract", "");
  if (members.has("take")) out.last = members.one_of("take", {"first", "last"}) == "last";
  if (members.has("ignore")) out.ignore = members.texts_at("ignore");
  out.ignore_case = members.truth_at("ignore_case");
  return out;
}

Chance parse_chance(const Members& members) {
  constexpr const char* kNeeded = "a number between 0 and 1, 'uniform' or 'majority'";
  const Json& value = members.at("chance", kNeeded);
  if (value.is_number()) {
    const double level = value.get<double>();
    if (!(level > 0 && level < 1)) members.fail("chance", text("is ", value.dump()), kNeeded);
    return {Chance::Kind::kNumber, level};
  }
  if (value == "uniform") return {Chance::Kind::kUniform, 0};
  if (value == "majority") return {Chance::Kind::kMajority, 0};
  members.fail("chance", text("is ", value.is_string() ? value.dump() : value.type_name()),
               kNeeded);
}

/// The names that only some templates know: choices, choice, letter, answer.
void require_places(const Members& members, const std::string& key, const Template& made,
                    const std::vector<std::string>& allowed) {
  for (const char* special : {"choices", "choice", "letter", "answer"})
    if (made.uses(special) && std::find(allowed.begin(), allowed.end(), special) == allowed.end())
      members.fail(key, text("has {", special, "}"), "a template without it, with this scoring");
}

void parse_templates(const Members& members, Task& task) {
  const bool generates = task.scoring == Scoring::kGenerate;
  const bool in_context = task.scoring == Scoring::kContext;
  task.description = members.template_at("description", "");
  task.prompt = members.template_at("prompt", "");
  task.choice = members.template_at("choice", "{letter}. {choice}");
  task.choice_delimiter = members.text_at("choice_delimiter", "\n");
  task.target_delimiter = members.text_at("target_delimiter", " ");
  task.shot_delimiter = members.text_at("shot_delimiter", "\n\n");
  const char* const target = task.scoring == Scoring::kLetter ? "{letter}"
                             : generates                      ? "{answer}"
                                                              : "{choice}";
  if (in_context) members.filled("target");
  task.target = members.template_at("target", target);

  require_places(members, "description", task.description, {});
  const std::vector<std::string> of_prompt = in_context
                                                 ? std::vector<std::string>{"choices", "choice"}
                                             : generates ? std::vector<std::string>{}
                                                         : std::vector<std::string>{"choices"};
  require_places(members, "prompt", task.prompt, of_prompt);
  if (task.prompt.fields().empty())
    members.fail("prompt", members.has("prompt") ? "has no field" : "is missing",
                 "a template such as '{question}'");
  require_places(members, "choice", task.choice, {"letter", "choice"});
  const std::vector<std::string> of_target = in_context ? std::vector<std::string>{}
                                             : generates
                                                 ? std::vector<std::string>{"answer"}
                                                 : std::vector<std::string>{"letter", "choice"};
  require_places(members, "target", task.target, of_target);
  if (in_context && !task.prompt.uses("choice"))
    members.fail("prompt", "has no {choice}", "one, with scoring context");
}

void parse_metrics(const Members& members, Task& task) {
  const bool generates = task.scoring == Scoring::kGenerate;
  std::vector<std::string> known = {"exact_match"};
  if (task.scoring == Scoring::kLetter) known = {"acc"};
  if (task.scoring == Scoring::kContinuation || task.scoring == Scoring::kContext)
    known = {"acc", "acc_norm"};
  task.metrics = members.texts_at("metrics");
  for (const std::string& metric : task.metrics)
    if (std::find(known.begin(), known.end(), metric) == known.end())
      members.fail("metrics", text("holds '", metric, "'"), listed(known) + ", with this scoring");
  if (!task.has_metric(known[0])) members.fail("metrics", "lacks '" + known[0] + "'", "that one");
  if (generates != members.has("generate"))
    members.fail("generate", generates ? "is missing" : "is there",
                 generates ? "an object" : "scoring generate, or none");
  if (generates && members.has("choices"))
    members.fail("choices", "is there", "none with scoring generate");
  if (generates && members.has("chance"))
    members.fail("chance", "is there", "none with scoring generate");
}

Task parse_members(const Members& members) {
  Task task;
  task.name = members.filled("name");
  task.version = members.integer_at("version", 1, INT32_MAX);
  task.protocol = members.filled("protocol");
  task.note = members.text_at("note", "");
  if (members.has("questions")) task.questions = file_at(members, "questions");
  if (members.has("built_in")) task.built_in = members.filled("built_in");
  if (!task.questions.empty() && !task.built_in.empty())
    members.fail("built_in", "stands beside 'questions'", "one of both");
  if (members.has("choices")) task.choices = members.texts_at("choices");
  if (members.has("choices") && task.choices.size() < 2)
    members.fail("choices", text("has ", task.choices.size(), " entries"), "at least 2");
  task.repeated_choices = members.truth_at("repeated_choices");
  const std::string scoring =
      members.one_of("scoring", {std::begin(kScorings), std::end(kScorings)});
  task.scoring = static_cast<Scoring>(
      std::find(std::begin(kScorings), std::end(kScorings), scoring) - std::begin(kScorings));
  parse_templates(members, task);
  parse_metrics(members, task);
  if (members.has("shots")) task.shots = parse_shots(members.at("shots", "an object"));
  if (task.scoring == Scoring::kGenerate)
    task.generate = parse_generation(members.at("generate", "an object"));
  else
    task.chance = parse_chance(members);
  if (members.has("cluster")) task.cluster = members.filled("cluster");
  return task;
}

}  // namespace

bool Task::has_metric(std::string_view metric) const {
  return std::find(metrics.begin(), metrics.end(), metric) != metrics.end();
}

bool Task::has_fixed_groups() const {
  const std::vector<std::string>& shown = prompt.fields();
  return !cluster.empty() && std::find(shown.begin(), shown.end(), cluster) == shown.end();
}

std::vector<std::string> Task::row_fields() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& field) {
    const bool special = field.empty() || field == "choices" || field == "choice" ||
                         field == "letter" || field == "answer";
    if (!special && std::find(out.begin(), out.end(), field) == out.end()) out.push_back(field);
  };
  for (const Template* made : {&description, &prompt, &choice, &target})
    for (const std::string& field : made->fields()) add(field);
  add(shots.same);
  add(cluster);
  return out;
}

Task parse_task(std::string_view json_text) {
  const Json json = parse_json(json_text);
  const Members members(
      json, "task",
      {"name",     "version",          "protocol",         "note",        "questions",
       "built_in", "choices",          "repeated_choices", "description", "prompt",
       "choice",   "choice_delimiter", "target_delimiter", "target",      "shot_delimiter",
       "shots",    "scoring",          "generate",         "metrics",     "cluster",
       "chance"});
  Task task = parse_members(members);
  task.sha256 = sha256_hex(json_text);
  return task;
}

Task read_task(const std::filesystem::path& file) {
  try {
    return parse_task(read_file(file));
  } catch (const Error& error) {
    throw error.within(file.filename().string());
  }
}

const Task* find_task(std::string_view name) {
  for (const Task& task : tasks())
    if (task.name == name) return &task;
  return nullptr;
}

std::span<const Task> tasks() {
  static const std::vector<Task> all = [] {
    std::vector<Task> read;
    for (const std::string_view json : built_in_tasks()) read.push_back(parse_task(json));
    return read;
  }();
  return all;
}

const char* scoring_name(Scoring scoring) { return kScorings[static_cast<size_t>(scoring)]; }

double chance_level(const Task& task, const QuestionFile& file) {
  if (task.scoring == Scoring::kGenerate) return 0;
  if (task.chance.kind == Chance::Kind::kNumber) return task.chance.value;
  if (file.questions.empty())
    throw Error(ErrorKind::kInput, text("'", file.name, "' holds no question"));
  const auto count = static_cast<double>(file.questions.size());
  double uniform = 0;
  std::map<int64_t, int64_t> answers;
  for (const Question& question : file.questions) {
    uniform += 1 / static_cast<double>(question.choices.size());
    ++answers[question.answer];
  }
  if (task.chance.kind == Chance::Kind::kUniform) return uniform / count;
  int64_t most = 0;
  for (const auto& [answer, times] : answers) most = std::max(most, times);
  return static_cast<double>(most) / count;
}

}  // namespace plumb::metrics
