// Stage results as JSON and back. nlohmann writes the shortest text that reads back to the same double.

#include "base/error.h"
#include "harness/pipeline/results.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

Json text_json(const TextFacts& t) {
  return {{"file", t.file},
          {"sha256", t.sha256},
          {"token_count", t.token_count},
          {"documents", t.documents}};
}

TextFacts text_from(const Json& j) {
  return {j.at("file"), j.at("sha256"), j.at("token_count"), j.at("documents")};
}

Json plan_json(const pruning::PruningPlan& p) {
  return {{"block_count", p.block_count},
          {"removed", p.removed},
          {"strategy", p.strategy},
          {"evidence", p.evidence}};
}

std::vector<pruning::PruningPlan> plans_from(const Json& list) {
  std::vector<pruning::PruningPlan> plans;
  for (const Json& j : list) {
    plans.push_back({j.at("block_count"), j.at("removed"), j.at("strategy"), j.at("evidence")});
    pruning::validate(plans.back());
  }
  return plans;
}

Json plans_json(const std::vector<pruning::PruningPlan>& plans) {
  Json list = Json::array();
  for (const auto& plan : plans) list.push_back(plan_json(plan));
  return list;
}

void require_size(size_t found, size_t needed, const char* what) {
  if (found != needed)
    throw Error(ErrorKind::kInput, text(what, ": ", found, " values, needed ", needed));
}

}  // namespace

Json to_json(const ProfileResult& r) {
  const auto& distances = r.profile.before_norm;
  Json pairs = Json::array();
  for (int64_t n = 1; n <= distances.block_count(); ++n)
    for (int64_t l = 0; l + n <= distances.block_count(); ++l)
      pairs.push_back(distances.samples(n, l));
  return {{"block_count", distances.block_count()},
          {"text", text_json(r.text)},
          {"pairs", pairs},
          {"after_norm", r.profile.after_norm},
          {"block_influence", r.profile.block_influence},
          {"seconds", r.seconds}};
}

ProfileResult profile_from_json(const Json& j) {
  const int64_t blocks = j.at("block_count");
  const TextFacts facts = text_from(j.at("text"));
  const auto documents = static_cast<int64_t>(facts.documents.size());
  if (blocks < 1 || blocks > 512) throw Error(ErrorKind::kInput, "block_count is out of range");
  metrics::DistanceMatrix distances(blocks, documents);
  const Json& pairs = j.at("pairs");
  require_size(pairs.size(), static_cast<size_t>(distances.pair_count()), "pairs");
  size_t pair = 0;
  for (int64_t n = 1; n <= blocks; ++n) {
    for (int64_t l = 0; l + n <= blocks; ++l, ++pair) {
      const std::vector<double> samples = pairs.at(pair);
      require_size(samples.size(), facts.documents.size(), "pair");
      for (int64_t d = 0; d < documents; ++d)
        distances.at(n, l, d) = samples[static_cast<size_t>(d)];
    }
  }
  const std::vector<std::vector<double>> after = j.at("after_norm");
  const std::vector<double> influence = j.at("block_influence");
  require_size(after.size(), static_cast<size_t>(blocks), "after_norm");
  for (const auto& row : after) require_size(row.size(), facts.documents.size(), "after_norm row");
  require_size(influence.size(), static_cast<size_t>(blocks), "block_influence");
  return {{std::move(distances), after, influence}, facts, j.at("seconds")};
}

Json to_json(const PlanResult& r) {
  Json starts = Json::array();
  for (const auto& s : r.starts)
    starts.push_back({{"n", s.n}, {"first", s.first}, {"stability", s.stability}});
  return {{"starts", starts}, {"plans", plans_json(r.plans)}, {"seconds", r.seconds}};
}

PlanResult plans_from_json(const Json& j) {
  PlanResult r;
  for (const Json& s : j.at("starts"))
    r.starts.push_back({s.at("n"), s.at("first"), s.at("stability")});
  r.plans = plans_from(j.at("plans"));
  r.seconds = j.at("seconds");
  return r;
}

namespace {

Json per_document_json(const std::optional<pruning::PerDocument>& measure) {
  if (!measure) return nullptr;
  return {{"mean", measure->mean}, {"variance", measure->variance}};
}

std::optional<pruning::PerDocument> per_document_from(const Json& j, const SweepResult& r) {
  if (j.is_null()) return std::nullopt;
  using Rows = std::vector<std::vector<double>>;
  pruning::PerDocument out{j.at("mean").get<Rows>(), j.at("variance").get<Rows>()};
  require_size(out.mean.size(), r.plans.size(), "plans of a measure");
  for (const auto& row : out.mean)
    require_size(row.size(), r.text.documents.size(), "documents of a measure");
  return out;
}

}  // namespace

Json to_json(const SweepResult& r) {
  return {{"plans", plans_json(r.plans)},
          {"text", text_json(r.text)},
          {"vocabulary_size", r.vocabulary_size},
          {"loss_nats", r.losses.loss_nats},
          {"position_variance", r.losses.position_variance},
          {"divergence_nats", per_document_json(r.losses.divergence_nats)},
          {"same_top", per_document_json(r.losses.same_top)},
          {"block_evaluations", r.losses.block_evaluations},
          {"block_evaluations_alone", r.losses.block_evaluations_alone},
          {"plans_distinct", r.losses.plans_distinct},
          {"positions_per_document", r.losses.positions_per_document},
          {"seconds", r.seconds},
          {"tokens_per_second", r.tokens_per_second},
          {"peak_resident_bytes", r.peak_resident_bytes}};
}

SweepResult sweep_from_json(const Json& j) {
  SweepResult r;
  r.plans = plans_from(j.at("plans"));
  r.text = text_from(j.at("text"));
  r.vocabulary_size = j.at("vocabulary_size");
  r.losses.loss_nats = j.at("loss_nats").get<std::vector<std::vector<double>>>();
  r.losses.position_variance = j.at("position_variance").get<std::vector<std::vector<double>>>();
  require_size(r.losses.loss_nats.size(), r.plans.size(), "loss_nats");
  for (const auto& row : r.losses.loss_nats)
    require_size(row.size(), r.text.documents.size(), "loss_nats row");
  r.losses.divergence_nats = per_document_from(j.at("divergence_nats"), r);
  r.losses.same_top = per_document_from(j.at("same_top"), r);
  r.losses.block_evaluations = j.at("block_evaluations");
  r.losses.block_evaluations_alone = j.at("block_evaluations_alone");
  r.losses.plans_distinct = j.at("plans_distinct");
  r.losses.positions_per_document = j.at("positions_per_document");
  r.seconds = j.at("seconds");
  r.tokens_per_second = j.at("tokens_per_second");
  r.peak_resident_bytes = j.at("peak_resident_bytes");
  return r;
}

Json to_json(const metrics::Cost& c) {
  return {{"blocks", c.blocks},
          {"block_bytes", c.block_bytes},
          {"weight_bytes", c.weight_bytes},
          {"peak_resident_bytes", c.peak_resident_bytes},
          {"baseline_resident_bytes", c.baseline_resident_bytes},
          {"prefill_ms", c.prefill_ms},
          {"prefill_blocks_ms", c.prefill_blocks_ms},
          {"decode_ms_per_token", c.decode_ms_per_token}};
}

metrics::Cost one_cost_from_json(const Json& j) {
  metrics::Cost c;
  c.blocks = j.at("blocks");
  c.block_bytes = j.at("block_bytes");
  c.weight_bytes = j.at("weight_bytes");
  c.peak_resident_bytes = j.at("peak_resident_bytes");
  c.baseline_resident_bytes = j.at("baseline_resident_bytes");
  c.prefill_ms = j.at("prefill_ms").get<std::vector<double>>();
  c.prefill_blocks_ms = j.at("prefill_blocks_ms").get<std::vector<double>>();
  c.decode_ms_per_token = j.at("decode_ms_per_token").get<std::vector<double>>();
  return c;
}

Json to_json(const CostResult& r) {
  Json points = Json::array();
  for (const CostPoint& p : r.points)
    points.push_back({{"n", p.n},
                      {"removed", p.removed},
                      {"peak_excludes_loading", p.peak_excludes_loading},
                      {"cost", to_json(p.cost)}});
  return {{"block_count", r.block_count}, {"points", points}, {"seconds", r.seconds}};
}

CostResult cost_from_json(const Json& j) {
  CostResult r;
  r.block_count = j.at("block_count");
  for (const Json& p : j.at("points"))
    r.points.push_back({p.at("n"), p.at("removed"), one_cost_from_json(p.at("cost")),
                        p.at("peak_excludes_loading")});
  r.seconds = j.at("seconds");
  return r;
}

Json to_json(const ReconnectionResult& r) {
  Json checks = Json::array();
  for (const EqualityCheck& c : r.checks)
    checks.push_back({{"name", c.name},
                      {"detail", c.detail},
                      {"compared", c.compared},
                      {"differing", c.differing},
                      {"largest_difference", c.largest_difference},
                      {"not_run", c.not_run}});
  return {{"checks", checks}, {"seconds", r.seconds}};
}

ReconnectionResult reconnection_from_json(const Json& j) {
  ReconnectionResult r;
  for (const Json& c : j.at("checks"))
    r.checks.push_back({c.at("name"), c.at("detail"), c.at("compared"), c.at("differing"),
                        c.at("largest_difference"), c.at("not_run")});
  r.seconds = j.at("seconds");
  return r;
}

}  // namespace plumb::harness
