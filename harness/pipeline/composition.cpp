#include "harness/pipeline/composition.h"

#include <algorithm>

#include "base/json_fields.h"
#include "harness/experiment/embedded.h"
#include "metrics/cost/arithmetic.h"

namespace plumb::harness {

namespace {

const CostPoint* point_of(const CostResult* cost, int64_t n) {
  if (cost == nullptr) return nullptr;
  for (const CostPoint& point : cost->points)
    if (point.n == n) return &point;
  return nullptr;
}

double ratio(uint64_t part, uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<Composition> compositions(const HealResult& heal, const CostResult* cost) {
  std::vector<Composition> out;
  for (const TrainedPlan& trained : heal.trained) {
    const pruning::PruningPlan& plan = trained.plan;
    if (std::any_of(out.begin(), out.end(),
                    [&](const Composition& c) { return c.plan.removed == plan.removed; }))
      continue;
    Composition c;
    c.plan = plan;
    const CostPoint *whole = point_of(cost, 0), *pruned = point_of(cost, plan.removed_count());
    c.measured = whole != nullptr && pruned != nullptr;
    c.pruned = c.measured ? ratio(pruned->cost.block_bytes, whole->cost.block_bytes)
                          : metrics::predicted_fraction(plan.removed_count(), plan.block_count);
    c.quantised = ratio(heal.whole.nf4, heal.whole.sixteen_bit);
    c.both = ratio(trained.frozen_bytes, heal.whole.sixteen_bit);
    c.bytes = trained.frozen_bytes;
    out.push_back(std::move(c));
  }
  return out;
}

PublishedComposition llama_2_70b() {
  const auto file = parse_json(llama_2_70b_json());
  const auto& json = file.at("config");
  models::ModelConfig c;
  c.architecture = "llama";
  c.block_count = json.at("num_hidden_layers");
  c.width = json.at("hidden_size");
  c.head_count = json.at("num_attention_heads");
  c.kv_head_count = json.at("num_key_value_heads");
  c.head_width = c.width / c.head_count;
  c.feed_forward_width = json.at("intermediate_size");
  c.vocabulary_size = json.at("vocab_size");
  constexpr double kSixteenBit = 2;
  const auto blocks = static_cast<double>(c.block_count);
  const double gains = 2 * static_cast<double>(c.width);
  const double products = static_cast<double>(metrics::block_parameters(c)) - gains;
  const double rest = kSixteenBit * (static_cast<double>(metrics::model_parameters(c)) -
                                     blocks * static_cast<double>(metrics::block_parameters(c)));
  PublishedComposition out;
  out.whole_bytes = kSixteenBit * static_cast<double>(metrics::model_parameters(c));
  out.half_bytes = rest + blocks / 2 * (products * kNf4Bits / 8 + kSixteenBit * gains);
  out.paper_whole_bytes = file.at("paper").at("whole_bytes");
  out.paper_half_bytes = file.at("paper").at("half_in_4_bit_bytes");
  return out;
}

}  // namespace plumb::harness
