#include "harness/pipeline/heal_result.h"

#include "base/error.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

Json plan_json(const pruning::PruningPlan& plan) {
  return {{"block_count", plan.block_count},
          {"removed", plan.removed},
          {"strategy", plan.strategy},
          {"evidence", plan.evidence}};
}

pruning::PruningPlan plan_from(const Json& j) {
  pruning::PruningPlan plan{j.at("block_count"), j.at("removed"), j.at("strategy"),
                            j.at("evidence")};
  pruning::validate(plan);
  return plan;
}

}  // namespace

Json to_json(const TrainedPlan& r) {
  Json rows = Json::array();
  for (const healing::TrainingRow& row : r.rows)
    rows.push_back({row.loss, row.gradient_norm, row.learning_rate, row.seconds});
  return {{"plan", plan_json(r.plan)},         {"rows", rows},
          {"file", r.documents.file},          {"sha256", r.documents.sha256},
          {"documents", r.training_documents}, {"tokens", r.tokens},
          {"frozen_bytes", r.frozen_bytes},    {"seconds", r.seconds}};
}

TrainedPlan trained_from_json(const Json& j) {
  TrainedPlan r;
  r.plan = plan_from(j.at("plan"));
  for (const Json& row : j.at("rows"))
    r.rows.push_back({row.at(0), row.at(1), row.at(2), row.at(3)});
  if (r.rows.empty()) throw Error(ErrorKind::kInput, "a training of no steps");
  r.documents = {j.at("file"), j.at("sha256")};
  r.training_documents = j.at("documents");
  r.tokens = j.at("tokens");
  r.frozen_bytes = j.at("frozen_bytes");
  r.seconds = j.at("seconds");
  return r;
}

Json to_json(const HealedPlan& r) {
  Json answers = Json::array();
  for (const HealedAnswers& a : r.answers)
    answers.push_back({{"task", a.task}, {"metric", a.metric}, {"right", a.right}});
  return {{"plan", plan_json(r.plan)},
          {"loss_nats", r.loss_nats},
          {"position_variance", r.position_variance},
          {"answers", answers},
          {"continuation", r.continuation},
          {"seconds", r.seconds}};
}

HealedPlan healed_from_json(const Json& j) {
  HealedPlan r;
  r.plan = plan_from(j.at("plan"));
  r.loss_nats = j.at("loss_nats").get<std::vector<double>>();
  r.position_variance = j.at("position_variance").get<std::vector<double>>();
  for (const Json& a : j.at("answers"))
    r.answers.push_back({a.at("task"), a.at("metric"), a.at("right").get<std::vector<uint8_t>>()});
  r.continuation = j.at("continuation");
  r.seconds = j.at("seconds");
  return r;
}

Json to_json(const BlockBytes& r) {
  return {{"sixteen_bit", r.sixteen_bit}, {"nf4", r.nf4}, {"seconds", r.seconds}};
}

BlockBytes block_bytes_from_json(const Json& j) {
  return {j.at("sixteen_bit"), j.at("nf4"), j.at("seconds")};
}

}  // namespace plumb::harness
