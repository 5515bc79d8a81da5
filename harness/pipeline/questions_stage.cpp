#include "harness/pipeline/questions_stage.h"

#include <chrono>

#include "base/error.h"
#include "base/remembered_hash.h"
#include "harness/pipeline/answered_task.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

QuestionChoice choice_of(const Experiment& e, const std::string& task) {
  return {.task = task,
          .data = e.questions.data,
          .questions = {},
          .limit = e.questions.limit,
          .sample = e.questions.sample};
}

TaskFacts facts_of(const AskedTask& asked) {
  TaskFacts f;
  f.name = asked.task.name;
  f.version = asked.task.version;
  f.sha256 = asked.task.sha256;
  f.protocol = asked.task.protocol;
  f.note = asked.task.note;
  f.scoring = text(metrics::scoring_name(asked.task.scoring), ", delimiter '",
                   asked.task.target_delimiter, "'");
  f.file = asked.file;
  f.file_sha256 = asked.sha256;
  f.built_in = !asked.task.built_in.empty();
  f.questions = static_cast<int64_t>(asked.questions.size());
  f.questions_in_file = asked.questions_in_file;
  f.shots = asked.shots;
  f.shots_dropped = asked.shots_dropped();
  f.questions_cut = asked.questions_cut();
  return f;
}

std::string hash_below(const std::filesystem::path& file) {
  try {
    return remembered_sha256(file);
  } catch (const Error& error) {
    throw Error(error.kind(),
                text(error.what(), " (questions.data; `plumb fetch --dataset` writes it)"),
                error.at());
  }
}

Json task_key(const metrics::Task& task, const std::string& data) {
  Json key = {{"task", task.name}, {"sha256", task.sha256}};
  if (task.built_in.empty()) {
    if (data.empty())
      throw Error(ErrorKind::kUsage,
                  text("task ", task.name, " needs questions.data, the folder where '",
                       task.questions, "' lies; `plumb fetch --dataset` writes it"));
    key["questions"] = hash_below(metrics::question_path(task, data));
  }
  if (task.shots.count > 0 && !task.shots.file.empty())
    key["shots"] = hash_below(metrics::shot_path(task, data));
  return key;
}

}  // namespace

Json questions_key(const Experiment& e) {
  Json tasks = Json::array();
  for (const std::string& name : e.questions.tasks)
    tasks.push_back(task_key(task_of(name), e.questions.data));
  if (tasks.empty()) return tasks;
  return {{"tasks", tasks}, {"limit", e.questions.limit}, {"sample", e.questions.sample}};
}

std::vector<AskedTask> ask_questions(Session& session) {
  std::vector<AskedTask> asked;
  for (const std::string& task : session.experiment().questions.tasks)
    asked.push_back(ask(session, choice_of(session.experiment(), task)));
  require_names(asked);
  return asked;
}

void say_detectable(const std::vector<AskedTask>& asked, const Console& console) {
  for (const AskedTask& task : asked)
    if (static_cast<int64_t>(task.questions.size()) < task.questions_in_file)
      console.say(text(task.task.name, ": ", task.questions.size(), " of ", task.questions_in_file,
                       " questions; ",
                       detectable_text(static_cast<int64_t>(task.questions.size()))));
}

QuestionsResult questions_stage(Session& session, std::vector<AskedTask> asked,
                                const std::vector<pruning::PruningPlan>& plans,
                                const Console& console) {
  const auto start = std::chrono::steady_clock::now();
  QuestionsResult result;
  for (AskedTask& task : asked) {
    const TaskFacts facts = facts_of(task);
    result.evaluations.push_back(evaluate(session, std::move(task), plans, console));
    const TaskEvaluation& e = result.evaluations.back();
    result.tasks.push_back(
        {facts, answered_tasks(e), e.scores.block_evaluations, e.scores.tokens_run, e.seconds});
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::vector<AccuracySummary> summarise_questions(const QuestionsResult& result, uint64_t seed) {
  std::vector<AccuracySummary> out;
  for (const TaskAnswers& task : result.tasks)
    for (const AnsweredTask& answered : task.answered)
      out.push_back(summarise(answered, {.seed = seed}));
  return out;
}

}  // namespace plumb::harness
