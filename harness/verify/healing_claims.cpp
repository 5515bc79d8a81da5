// Claims about healed models. Losses are paired with those of the same plans unhealed, by document.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/curvature.h"
#include "base/statistics/curve_fit.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/pipeline/composition.h"
#include "harness/pipeline/healing_summary.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

namespace {

constexpr double kClear = 6;  ///< a difference of BIC that speaks clearly
constexpr double kSameBytes = 0.01;

const char* const kHealMore =
    "set heal.n to the values of n and heal.documents to a text to train on";

bool has_healed(const Measurements& m) { return m.heal != nullptr && m.sweep != nullptr; }

/// Whether there are plans and documents to judge; else NOT RUN.
bool is_measured(const Measurements& m, Verdict& v) {
  if (!has_healed(m) || m.heal->healed.empty()) {
    not_run(v, "there is no healed model in this run", kHealMore);
    return false;
  }
  const auto documents = std::ssize(m.sweep->text.documents);
  if (documents >= kLeastDocuments) return true;
  not_run(v, text(documents, " documents were measured, needed at least ", kLeastDocuments),
          text("set validation.limit to ", kLeastDocuments, " or more"));
  return false;
}

/// A strategy's normalised losses by document over n.
struct Curve {
  std::string strategy;
  std::vector<double> fractions;  ///< n / L
  std::vector<std::vector<double>> healed, unhealed;
};

std::vector<double> normalised(const std::vector<double>& nats, int64_t vocabulary) {
  std::vector<double> out;
  for (const double loss : nats) out.push_back(loss / std::log(static_cast<double>(vocabulary)));
  return out;
}

const std::vector<double>* losses_of(const SweepResult& sweep, const pruning::PruningPlan& plan) {
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    if (sweep.plans[i].strategy == plan.strategy && sweep.plans[i].removed == plan.removed)
      return &sweep.losses.loss_nats[i];
  return nullptr;
}

std::vector<Curve> curves_of(const Measurements& m) {
  std::vector<Curve> out;
  for (const HealedPlan& healed : m.heal->healed) {
    const auto* unhealed = losses_of(*m.sweep, healed.plan);
    if (unhealed == nullptr) continue;
    if (out.empty() || out.back().strategy != healed.plan.strategy)
      out.push_back({healed.plan.strategy, {}, {}, {}});
    Curve& curve = out.back();
    curve.fractions.push_back(static_cast<double>(healed.plan.removed_count()) /
                              static_cast<double>(m.block_count));
    curve.healed.push_back(normalised(healed.loss_nats, m.sweep->vocabulary_size));
    curve.unhealed.push_back(normalised(*unhealed, m.sweep->vocabulary_size));
  }
  return out;
}

std::vector<double> means(const std::vector<std::vector<double>>& rows) {
  std::vector<double> out;
  for (const auto& row : rows) out.push_back(mean(row));
  return out;
}

/// Of a line less of two lines that meet: above 0 where the break is better.
double bic_of_break(const Curve& curve, const std::vector<std::vector<double>>& rows) {
  const std::vector<double> y = means(rows);
  const CurvePoints points{curve.fractions, y, {}};
  return bayes_criterion(points, fit_line(points).squares, kLineParameters) -
         bayes_criterion(points, fit_segmented(points).squares, kSegmentedParameters);
}

struct Shape {
  Curvature curvature;
  double break_bic = 0;
};

Shape shape_of(const Measurements& m, const Curve& curve,
               const std::vector<std::vector<double>>& rows, double alpha,
               const std::string& prefix, Verdict& v) {
  const Shape shape{curvature(curve.fractions, rows, m.draws, m.seed, alpha),
                    bic_of_break(curve, rows)};
  for (const auto& [name, value] : {std::pair("largest_second_difference", shape.curvature.largest),
                                    std::pair("max_t_bound", shape.curvature.bound),
                                    std::pair("break_less_line_bic", -shape.break_bic)})
    v.evidence.push_back({.name = prefix + name,
                          .dimensions = {{"strategy", curve.strategy}},
                          .value = value,
                          .unit = "1"});
  return shape;
}

std::string shape_text(const Shape& shape) {
  return text("largest standardised second difference ", number_text(shape.curvature.largest, 3),
              ", bound ", number_text(shape.curvature.bound, 3), "; a break is ",
              shape.break_bic >= 0 ? "better" : "worse", " than a line by BIC ",
              number_text(std::abs(shape.break_bic), 3));
}

}  // namespace

void judge_healed_continuity(const Measurements& m, Verdict& v) {
  if (!is_measured(m, v)) return;
  std::vector<Curve> curves = curves_of(m);
  size_t most = 0;
  for (const Curve& curve : curves) most = std::max(most, curve.fractions.size());
  std::erase_if(curves, [](const Curve& c) { return c.fractions.size() < kLeastPoints; });
  if (curves.empty())
    return not_run(
        v,
        text("plans of ", most, " values of n were healed, needed are ", kLeastPoints,
             " of one strategy for a line to be told from a break"),
        text("name ", kLeastPoints, " or more values in heal.n, such as every fourth n"));
  std::string found;
  int64_t broken = 0, open = 0;
  for (const Curve& curve : curves) {
    // Bonferroni over the strategies.
    const double alpha = kAlpha / static_cast<double>(curves.size());
    const Shape healed = shape_of(m, curve, curve.healed, alpha, "healed_", v);
    const Shape unhealed = shape_of(m, curve, curve.unhealed, alpha, "unhealed_", v);
    const bool bends = healed.curvature.bends(), breaks = healed.break_bic >= kClear;
    broken += bends && breaks;
    open += bends != breaks;
    found += text(found.empty() ? "" : "; ", curve.strategy, ", ", curve.fractions.size(),
                  " values of n: ", shape_text(healed), " (unhealed: ", shape_text(unhealed), ")");
  }
  if (broken > 0)
    return decide(v, VerdictKind::kFail, found,
                  "see where the healed curve breaks; longer training (heal.steps) may repair it");
  if (open > 0)
    return decide(v, VerdictKind::kInconclusive, found,
                  "the curve bends without a clear break, or the other way round: heal more values "
                  "of n (heal.n)");
  decide(v, VerdictKind::kPass, found);
}

void judge_healing_gain(const Measurements& m, Verdict& v) {
  if (!is_measured(m, v)) return;
  const auto gains = healing_gains(*m.heal, *m.sweep, {.draws = m.draws, .seed = m.seed});
  int64_t better = 0, worse = 0;
  const HealingGain* least = &gains.front();
  for (const HealingGain& gain : gains) {
    better += gain.p_holm <= kAlpha;
    worse += gain.interval.high < 0;
    if (gain.gain_nats < least->gain_nats) least = &gain;
    v.evidence.push_back(
        {.name = "healing_gain_nats",
         .dimensions = {{"strategy", gain.plan.strategy}, {"n", gain.plan.removed_count()}},
         .value = gain.gain_nats,
         .unit = "nats",
         .interval = gain.interval,
         .higher_is_better = true});
  }
  const std::string found =
      text("healing lowers the loss of ", better, " of ", gains.size(), " plans; least gain ",
           with_interval(least->gain_nats, least->interval), " nats, ", least->plan.strategy,
           " n = ", least->plan.removed_count());
  if (worse > 0)
    return decide(v, VerdictKind::kFail, text(found, "; ", worse, " are worse than unhealed"),
                  "lower heal.learning_rate or heal.rank, or train on text like the validation's");
  if (better == std::ssize(gains)) return decide(v, VerdictKind::kPass, found);
  decide(v, VerdictKind::kInconclusive, found,
         "train longer (heal.steps), or measure more documents (validation.limit)");
}

void judge_similarity_beats_simple_healed(const Measurements& m, Verdict& v) {
  if (!is_measured(m, v)) return;
  judge_strategies(m, healed_sweep(*m.heal, *m.sweep), m.block_count, "healed", v);
}

void judge_methods_compose(const Measurements& m, Verdict& v) {
  if (m.heal == nullptr || m.heal->trained.empty())
    return not_run(v, "no model was pruned and held in 4 bits", kHealMore);
  double largest = 0;
  std::string found;
  for (const Composition& c : compositions(*m.heal, m.cost)) {
    const double deviation = std::abs(c.both / c.product() - 1);
    largest = std::max(largest, deviation);
    found += text(found.empty() ? "" : ", ", "n = ", c.plan.removed_count(), ": ",
                  number_text(c.both, 4), " of the blocks' bytes, product ",
                  number_text(c.product(), 4), c.measured ? "" : " (1 - n / L)");
    v.evidence.push_back({.name = "both_over_product",
                          .dimensions = {{"n", c.plan.removed_count()}},
                          .value = c.both / c.product(),
                          .unit = "1"});
  }
  const PublishedComposition llama = llama_2_70b();
  const auto add = [&](const char* name, double value, const char* unit) {
    v.evidence.push_back({.name = name, .value = value, .unit = unit});
  };
  add("llama_2_70b_bytes", llama.whole_bytes, "bytes");
  add("llama_2_70b_half_nf4_bytes", llama.half_bytes, "bytes");
  add("llama_2_70b_half_nf4_bytes_of_the_paper", llama.paper_half_bytes, "bytes");
  found += text(". Llama-2-70B by its configuration: ", number_text(llama.whole_bytes / 1e9, 3),
                " GB to ", number_text(llama.half_bytes / 1e9, 3),
                " GB with half of its blocks, a factor ", number_text(llama.factor(), 2),
                "; the paper's ", number_text(llama.paper_half_bytes / 1e9, 3),
                " GB is nominal: exactly 4 bits, embedding and head in 4 bits too");
  if (largest <= kSameBytes) return decide(v, VerdictKind::kPass, found);
  decide(v, VerdictKind::kFail, text(found, "; off by ", number_text(100 * largest, 2), " %"),
         "report this: the bytes of blocks are arithmetic");
}

}  // namespace plumb::harness
