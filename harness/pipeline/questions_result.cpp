#include "harness/pipeline/questions_result.h"

#include <array>

#include "base/error.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::array<const char*, 3> kRoles{"none", "sample", "groups"};

Json facts_json(const TaskFacts& f) {
  return {{"name", f.name},
          {"version", f.version},
          {"sha256", f.sha256},
          {"protocol", f.protocol},
          {"note", f.note},
          {"scoring", f.scoring},
          {"file", f.file},
          {"file_sha256", f.file_sha256},
          {"built_in", f.built_in},
          {"questions", f.questions},
          {"questions_in_file", f.questions_in_file},
          {"shots", f.shots},
          {"shots_dropped", f.shots_dropped},
          {"questions_cut", f.questions_cut}};
}

TaskFacts facts_from(const Json& j) {
  return {j.at("name"),
          j.at("version"),
          j.at("sha256"),
          j.at("protocol"),
          j.at("note"),
          j.at("scoring"),
          j.at("file"),
          j.at("file_sha256"),
          j.at("built_in"),
          j.at("questions"),
          j.at("questions_in_file"),
          j.at("shots"),
          j.at("shots_dropped"),
          j.at("questions_cut")};
}

std::string digits_of(const std::vector<uint8_t>& right) {
  std::string digits;
  for (const uint8_t one : right) digits += one != 0 ? '1' : '0';
  return digits;
}

std::vector<uint8_t> right_from(const std::string& digits) {
  std::vector<uint8_t> right;
  for (const char digit : digits) {
    if (digit != '0' && digit != '1')
      throw Error(ErrorKind::kInput, "an answer is neither 0 nor 1");
    right.push_back(digit == '1');
  }
  return right;
}

Json answered_json(const AnsweredTask& a) {
  Json plans = Json::array();
  for (size_t i = 0; i < a.plans.size(); ++i)
    plans.push_back({{"strategy", a.plans[i].strategy},
                     {"n", a.plans[i].n},
                     {"removed", a.plans[i].removed},
                     {"right", digits_of(a.right[i])}});
  return {{"task", a.task},
          {"metric", a.metric},
          {"chance", a.chance},
          {"block_count", a.block_count},
          {"role", kRoles.at(static_cast<size_t>(a.role))},
          {"cluster_field", a.cluster_field},
          {"clusters", a.clusters},
          {"cluster_names", a.cluster_names},
          {"plans", plans}};
}

ClusterRole role_from(const std::string& name) {
  for (size_t i = 0; i < kRoles.size(); ++i)
    if (name == kRoles[i]) return static_cast<ClusterRole>(i);
  throw Error(ErrorKind::kInput, text("there is no role '", name, "' of clusters"));
}

AnsweredTask answered_from(const Json& j) {
  AnsweredTask a;
  a.task = j.at("task");
  a.metric = j.at("metric");
  a.chance = j.at("chance");
  a.block_count = j.at("block_count");
  a.role = role_from(j.at("role"));
  a.cluster_field = j.at("cluster_field");
  a.clusters = j.at("clusters").get<std::vector<int64_t>>();
  a.cluster_names = j.at("cluster_names").get<std::vector<std::string>>();
  for (const Json& plan : j.at("plans")) {
    a.plans.push_back({plan.at("strategy"), plan.at("n"), plan.at("removed")});
    a.right.push_back(right_from(plan.at("right")));
  }
  return a;
}

Json plans_json(const std::vector<pruning::PruningPlan>& plans) {
  Json out = Json::array();
  for (const pruning::PruningPlan& plan : plans)
    out.push_back({{"block_count", plan.block_count},
                   {"removed", plan.removed},
                   {"strategy", plan.strategy},
                   {"evidence", plan.evidence}});
  return out;
}

/// What question_files writes of every question.
Json asked_json(const AskedTask& asked) {
  Json out = Json::array();
  for (size_t q = 0; q < asked.questions.size(); ++q)
    out.push_back({{"line", asked.questions[q].line},
                   {"doc_hash", asked.questions[q].doc_hash},
                   {"answer", asked.questions[q].answer},
                   {"prompt_hash", asked.requests[q].prompt_hash},
                   {"target_hash", asked.requests[q].target_hash}});
  return out;
}

Json evaluation_json(const TaskEvaluation& e) {
  Json normalised = Json::array();  // [plan][question], or empty
  for (const auto& answers : e.answers) {
    if (answers.empty() || !answers.front().normalised) break;
    Json row = Json::array();
    for (const metrics::Answer& answer : answers) row.push_back(answer.normalised->index);
    normalised.push_back(std::move(row));
  }
  return {{"plans", plans_json(e.plans)}, {"metrics", e.asked.task.metrics},
          {"asked", asked_json(e.asked)}, {"clusters", e.clusters},
          {"values", e.scores.values},    {"normalised", normalised}};
}

void read_asked(const Json& rows, AskedTask& asked) {
  for (const Json& row : rows) {
    metrics::Question question;
    question.line = row.at("line");
    question.doc_hash = row.at("doc_hash");
    question.answer = row.at("answer");
    metrics::Request request;
    request.prompt_hash = row.at("prompt_hash");
    request.target_hash = row.at("target_hash");
    asked.questions.push_back(std::move(question));
    asked.requests.push_back(std::move(request));
  }
}

std::vector<metrics::Answer> answers_from(const TaskEvaluation& e, const Json& normalised,
                                          size_t plan) {
  std::vector<metrics::Answer> out;
  for (size_t q = 0; q < e.asked.questions.size(); ++q) {
    const int64_t right = e.asked.questions[q].answer;
    metrics::Answer answer{metrics::largest(e.scores.values.at(plan).at(q), right), {}};
    if (!normalised.empty()) {
      const int64_t index = normalised.at(plan).at(q);
      answer.normalised = metrics::Choice{.index = index, .margin = 0, .correct = index == right};
    }
    out.push_back(answer);
  }
  return out;
}

TaskEvaluation evaluation_from(const Json& j, const TaskAnswers& task) {
  TaskEvaluation e;
  e.asked.task.name = task.facts.name;
  e.asked.task.metrics = j.at("metrics").get<std::vector<std::string>>();
  e.asked.chance = task.answered.at(0).chance;
  read_asked(j.at("asked"), e.asked);
  e.clusters = j.at("clusters").get<std::vector<int64_t>>();
  e.scores.values = j.at("values").get<std::vector<std::vector<std::vector<double>>>>();
  for (const Json& plan : j.at("plans")) {
    e.plans.push_back(
        {plan.at("block_count"), plan.at("removed"), plan.at("strategy"), plan.at("evidence")});
    pruning::validate(e.plans.back());
    e.answers.push_back(answers_from(e, j.at("normalised"), e.plans.size() - 1));
  }
  if (e.clusters.size() != e.asked.questions.size())
    throw Error(ErrorKind::kInput,
                text(e.clusters.size(), " clusters of ", e.asked.questions.size(), " questions"));
  return e;
}

}  // namespace

Json to_json(const QuestionsResult& r) {
  Json tasks = Json::array();
  for (size_t i = 0; i < r.tasks.size(); ++i) {
    const TaskAnswers& task = r.tasks[i];
    Json answered = Json::array();
    for (const AnsweredTask& one : task.answered) answered.push_back(answered_json(one));
    tasks.push_back({{"facts", facts_json(task.facts)},
                     {"answered", answered},
                     {"evaluation", evaluation_json(r.evaluations.at(i))},
                     {"block_evaluations", task.block_evaluations},
                     {"tokens_run", task.tokens_run},
                     {"seconds", task.seconds}});
  }
  return {{"tasks", tasks}, {"seconds", r.seconds}};
}

QuestionsResult questions_from_json(const Json& j) {
  QuestionsResult r;
  for (const Json& task : j.at("tasks")) {
    TaskAnswers answers{facts_from(task.at("facts")),
                        {},
                        task.at("block_evaluations"),
                        task.at("tokens_run"),
                        task.at("seconds")};
    for (const Json& one : task.at("answered")) answers.answered.push_back(answered_from(one));
    r.evaluations.push_back(evaluation_from(task.at("evaluation"), answers));
    r.tasks.push_back(std::move(answers));
  }
  r.seconds = j.at("seconds");
  return r;
}

}  // namespace plumb::harness
