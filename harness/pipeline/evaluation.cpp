#include "harness/pipeline/evaluation.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "harness/cli/console.h"
#include "harness/pipeline/file_names.h"
#include "pruning/sweep/trie.h"

namespace plumb::harness {

using metrics::Question;
using metrics::Task;

namespace {

metrics::QuestionFile questions_of(const Task& task, const QuestionChoice& choice) {
  if (!choice.questions.empty()) return metrics::read_questions(task, choice.questions);
  if (!task.built_in.empty()) return metrics::built_in_question_file(task);
  if (choice.data.empty())
    throw Error(ErrorKind::kUsage,
                text("task ", task.name, " needs --data DIR, where '", task.questions,
                     "' lies; `plumb fetch --dataset` writes it"));
  return metrics::read_questions(task, metrics::question_path(task, choice.data));
}

/// Numbers of the questions that are asked, ascending.
std::vector<size_t> chosen(size_t count, const QuestionChoice& choice, uint64_t seed) {
  const auto wanted = static_cast<size_t>(choice.limit > 0 ? choice.limit : choice.sample);
  if (choice.limit > 0 && choice.sample > 0)
    throw Error(ErrorKind::kUsage,
                "the first questions and a sample of them were asked for; give one");
  if (wanted > count)
    throw Error(ErrorKind::kUsage, text(wanted, " questions of task ", choice.task,
                                        " were asked for; its file has ", count));
  std::vector<size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  if (wanted == 0) return numbers;
  constexpr uint64_t kStream = 0x7175657374;  // of its own, whatever else the seed is used for
  Rng rng(seed, kStream);
  for (size_t i = 0; choice.sample > 0 && i < wanted; ++i)
    std::swap(numbers[i], numbers[i + static_cast<size_t>(rng.below(count - i))]);
  numbers.resize(wanted);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

Task task_of(const std::string& name) {
  if (name.ends_with(".json")) return metrics::read_task(name);
  if (const Task* known = metrics::find_task(name)) return *known;
  std::string names;
  for (const Task& task : metrics::tasks()) names += (names.empty() ? "" : ", ") + task.name;
  throw Error(ErrorKind::kUsage, text("no task is called ", printable(name), "; known are ", names,
                                      ", or a task file whose name ends in .json"));
}

int64_t AskedTask::shots_dropped() const {
  int64_t dropped = 0;
  for (const metrics::Request& request : requests) dropped += request.shots_dropped;
  return dropped;
}

int64_t AskedTask::questions_cut() const {
  return std::count_if(requests.begin(), requests.end(),
                       [](const metrics::Request& request) { return request.tokens_cut > 0; });
}

void require_names(const std::vector<AskedTask>& asked) {
  for (size_t i = 0; i < asked.size(); ++i) {
    const std::string& name = asked[i].task.name;
    if (name.find_first_not_of(kFileNameCharacters) != std::string::npos || name.front() == '.')
      throw Error(ErrorKind::kUsage,
                  text("a task is called '", printable(name),
                       "', which is to be a file's name; needed are letters, digits, '.', '_' "
                       "and '-', and another than '.' first"));
    for (size_t j = 0; j < i; ++j)
      if (asked[j].task.name == name)
        throw Error(ErrorKind::kUsage,
                    text("two tasks are called ", name, "; give each once, or another name"));
  }
}

int64_t rows_per_pack(Session& session) {
  const Experiment& experiment = session.experiment();
  if (experiment.rows_per_pack > 0) return experiment.rows_per_pack;
  return rows_of_a_pack(session.checkpoint().config(), models::parse_dtype(experiment.dtype),
                        experiment.memory_limit_bytes);
}

namespace {

void expect_packs(Session& session, const std::vector<metrics::Request>& requests) {
  const int64_t rows = rows_per_pack(session);
  int64_t all = 0, largest = 0;
  for (const metrics::Request& request : requests) {
    all += request.token_count();
    largest = std::max(largest, request.token_count());
  }
  // A pack ends with the request that fills it.
  session.expect_packs((all + rows - 1) / rows, std::min(all, rows + largest));
}

}  // namespace

AskedTask ask(Session& session, const QuestionChoice& choice) {
  AskedTask out;
  out.choice = choice;
  out.task = task_of(choice.task);
  metrics::QuestionFile file = questions_of(out.task, choice);
  out.file = file.name;
  out.sha256 = file.sha256;
  out.questions_in_file = static_cast<int64_t>(file.questions.size());
  std::vector<Question> asked;
  for (const size_t i : chosen(file.questions.size(), choice, session.experiment().seed))
    asked.push_back(std::move(file.questions[i]));
  file.questions = std::move(asked);
  out.chance = metrics::chance_level(out.task, file);
  metrics::QuestionFile shots;
  metrics::ShotPool pool;
  const bool any = choice.shots < 0 ? out.task.shots.count > 0 : choice.shots > 0;
  if (any && !out.task.shots.file.empty()) {
    if (choice.data.empty())
      throw Error(ErrorKind::kUsage,
                  text("task ", out.task.name, " shows examples from '", out.task.shots.file,
                       "' and needs --data DIR, where that lies, or --shots 0"));
    shots = metrics::read_questions(out.task, metrics::shot_path(out.task, choice.data));
    out.shots_sha256 = shots.sha256;
    pool = metrics::ShotPool(out.task, shots.questions);
  }
  const metrics::RequestMaker maker(out.task, session.tokenizer(), pool,
                                    {session.checkpoint().config().max_positions, choice.shots,
                                     session.experiment().special_tokens});
  out.shots = maker.shots();
  for (const Question& question : file.questions) out.requests.push_back(maker.make(question));
  out.questions = std::move(file.questions);
  expect_packs(session, out.requests);
  return out;
}

namespace {

void add_choices(Session& session, const AskedTask& asked, const Console& console,
                 const pruning::StepLog& log, TaskEvaluation& out) {
  Progress progress(console, text(asked.task.name, ": block evaluation"));
  out.scores = pruning::sweep_questions(
      session.decoder(), asked.requests, out.plans,
      {rows_per_pack(session), session.activation_room(),
       [&](int64_t done, int64_t all) { progress.update(done, all); }, log});
  for (const auto& values : out.scores.values) {
    std::vector<metrics::Answer> answers;
    for (size_t q = 0; q < asked.questions.size(); ++q)
      answers.push_back(metrics::choose(asked.task, asked.questions[q], values[q]));
    out.answers.push_back(std::move(answers));
  }
}

void add_texts(Session& session, const AskedTask& asked, const Console& console,
               const pruning::StepLog& log, TaskEvaluation& out) {
  WrittenAnswers written =
      write_answers(session, asked.task, asked.questions, asked.requests, out.plans, console, log);
  out.written = std::move(written.texts);
  out.scores.plans_distinct = written.plans_distinct;
  // Plans part after their first token, so each runs alone.
  out.scores.block_evaluations = out.scores.block_evaluations_alone =
      pruning::block_evaluations_alone(out.plans);
  for (const metrics::Request& request : asked.requests)
    out.scores.tokens_alone += request.token_count();
  out.scores.tokens_run = out.scores.tokens_alone;
  for (const auto& texts : out.written) {
    std::vector<metrics::Answer> answers(texts.size());
    for (size_t q = 0; q < texts.size(); ++q) answers[q].best = {-1, 0, texts[q].answer.correct};
    out.answers.push_back(std::move(answers));
  }
}

}  // namespace

TaskEvaluation evaluate(Session& session, AskedTask asked,
                        const std::vector<pruning::PruningPlan>& plans, const Console& console,
                        const pruning::StepLog& log) {
  const auto start = std::chrono::steady_clock::now();
  TaskEvaluation out;
  out.plans = plans;
  (asked.task.generate ? add_texts : add_choices)(session, asked, console, log, out);
  out.clusters = metrics::clusters(asked.task, asked.questions);
  out.asked = std::move(asked);
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

std::vector<TaskEvaluation> evaluate_all(Session& session, std::vector<AskedTask> asked,
                                         const std::vector<pruning::PruningPlan>& plans,
                                         SharedSteps& steps, const Console& console) {
  std::vector<TaskEvaluation> out;
  out.reserve(asked.size());
  for (AskedTask& task : asked) {
    const auto log = steps.log("questions of " + task.task.name);
    out.push_back(evaluate(session, std::move(task), plans, console, log));
  }
  return out;
}

}  // namespace plumb::harness
