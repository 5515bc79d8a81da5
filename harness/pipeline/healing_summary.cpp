#include "harness/pipeline/healing_summary.h"

#include <map>

#include "base/csv.h"
#include "base/error.h"
#include "base/statistics/clusters.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/proportion.h"
#include "base/statistics/summary.h"

namespace plumb::harness {

namespace {

size_t index_of(const SweepResult& sweep, const pruning::PruningPlan& plan) {
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    if (sweep.plans[i].strategy == plan.strategy && sweep.plans[i].removed == plan.removed)
      return i;
  throw Error(ErrorKind::kInvariant, text("the healed plan ", plan.strategy, " ",
                                          plan.removed_text(), " is not in the sweep"));
}

std::optional<double> share_repaired(const SweepResult& sweep, double unhealed, double gain) {
  for (size_t i = 0; i < sweep.plans.size(); ++i) {
    if (!sweep.plans[i].removed.empty()) continue;
    const double damage = unhealed - mean(sweep.losses.loss_nats[i]);
    if (damage > 0) return gain / damage;
    break;
  }
  return std::nullopt;
}

const std::vector<uint8_t>* unhealed_answers(const AnsweredTask& answered,
                                             const pruning::PruningPlan& plan) {
  for (size_t i = 0; i < answered.plans.size(); ++i)
    if (answered.plans[i].strategy == plan.strategy && answered.plans[i].n == plan.removed_count())
      return &answered.right[i];
  return nullptr;
}

HealedAccuracy accuracy_of(const pruning::PruningPlan& plan, const HealedAnswers& healed,
                           const AnsweredTask& answered, const std::vector<uint8_t>& unhealed) {
  const std::vector<int64_t> none;
  const auto& clusters = answered.role == ClusterRole::kSample ? answered.clusters : none;
  const auto right = std::count(healed.right.begin(), healed.right.end(), uint8_t{1});
  const auto questions = static_cast<int64_t>(healed.right.size());
  HealedAccuracy out;
  out.plan = plan;
  out.task = answered.task;
  out.metric = answered.metric;
  out.accuracy = static_cast<double>(right) / static_cast<double>(questions);
  out.interval = clusters.empty() ? accuracy_interval(right, questions)
                                  : clustered_accuracy_interval(healed.right, clusters);
  out.unhealed = static_cast<double>(std::count(unhealed.begin(), unhealed.end(), uint8_t{1})) /
                 static_cast<double>(questions);
  out.gain = summarise_pair(healed.right, unhealed, clusters);
  return out;
}

void plan_cells(CsvTable& table, const pruning::PruningPlan& plan) {
  table.cell(plan.strategy).cell(plan.removed_count());
}

void interval_cells(CsvTable& table, double value, const Interval& interval) {
  table.cell(value).cell(interval.low).cell(interval.high);
}

NamedFile losses_file(const std::vector<HealingGain>& gains) {
  CsvTable table({"strategy", "n", "loss_nats", "loss_low", "loss_high", "normalised", "low",
                  "high", "unhealed_nats", "unhealed_normalised", "gain_nats", "gain_low",
                  "gain_high", "gain_p", "gain_p_holm", "repaired", "removed"});
  for (const HealingGain& g : gains) {
    plan_cells(table, g.plan);
    interval_cells(table, g.healed.loss_nats, g.healed.nats);
    interval_cells(table, g.healed.normalised, g.healed.interval);
    table.cell(g.unhealed.loss_nats).cell(g.unhealed.normalised);
    interval_cells(table, g.gain_nats, g.interval);
    table.cell(g.p).cell(g.p_holm);
    if (g.repaired)
      table.cell(*g.repaired);
    else
      table.empty();
    table.cell(g.plan.removed_text());
    table.end_row();
  }
  return {"healed.csv", table.str()};
}

NamedFile documents_file(const HealResult& heal, const SweepResult& sweep) {
  CsvTable table({"strategy", "n", "document", "loss_nats", "unhealed_nats", "removed"});
  for (const HealedPlan& healed : heal.healed) {
    const auto& unhealed = sweep.losses.loss_nats[index_of(sweep, healed.plan)];
    for (size_t d = 0; d < healed.loss_nats.size(); ++d) {
      plan_cells(table, healed.plan);
      table.cell(sweep.text.documents[d]).cell(healed.loss_nats[d]).cell(unhealed[d]);
      table.cell(healed.plan.removed_text());
      table.end_row();
    }
  }
  return {"healed_documents.csv", table.str()};
}

NamedFile accuracy_file(const std::vector<HealedAccuracy>& accuracies) {
  CsvTable table({"strategy", "n", "task", "metric", "accuracy", "low", "high", "unhealed", "gain",
                  "gain_low", "gain_high", "gain_p", "gain_p_holm", "removed"});
  for (const HealedAccuracy& a : accuracies) {
    plan_cells(table, a.plan);
    table.cell(a.task).cell(a.metric);
    interval_cells(table, a.accuracy, a.interval);
    table.cell(a.unhealed);
    interval_cells(table, a.gain.difference, a.gain.interval);
    table.cell(a.gain.p).cell(a.gain.p_holm).cell(a.plan.removed_text());
    table.end_row();
  }
  return {"healed_accuracy.csv", table.str()};
}

NamedFile training_rows(const TrainedPlan& trained) {
  CsvTable table({"step", "loss_nats", "gradient_norm", "learning_rate"});
  for (size_t i = 0; i < trained.rows.size(); ++i) {
    table.cell(static_cast<int64_t>(i)).cell(trained.rows[i].loss);
    table.cell(trained.rows[i].gradient_norm).cell(trained.rows[i].learning_rate);
    table.end_row();
  }
  return {text("training/", trained.plan.strategy, "-", trained.plan.removed_count(), ".csv"),
          table.str()};
}

}  // namespace

SweepResult healed_sweep(const HealResult& heal, const SweepResult& sweep) {
  SweepResult out;
  for (const HealedPlan& healed : heal.healed) {
    out.plans.push_back(healed.plan);
    out.losses.loss_nats.push_back(healed.loss_nats);
    if (!healed.position_variance.empty())
      out.losses.position_variance.push_back(healed.position_variance);
  }
  out.text = sweep.text;
  out.vocabulary_size = sweep.vocabulary_size;
  return out;
}

std::vector<HealingGain> healing_gains(const HealResult& heal, const SweepResult& sweep,
                                       const BootstrapOptions& options) {
  const SweepResult healed = healed_sweep(heal, sweep);
  std::vector<HealingGain> out;
  std::vector<double> p;
  for (size_t i = 0; i < healed.plans.size(); ++i) {
    const size_t at = index_of(sweep, healed.plans[i]);
    const auto &before = sweep.losses.loss_nats[at], &after = healed.losses.loss_nats[i];
    std::vector<double> difference;
    for (size_t d = 0; d < after.size(); ++d) difference.push_back(before.at(d) - after[d]);
    HealingGain g;
    g.plan = healed.plans[i];
    g.unhealed = loss_of(sweep, at, options);
    g.healed = loss_of(healed, i, options);
    g.gain_nats = mean(difference);
    g.interval = bootstrap_difference(before, after, options);
    g.p = bootstrap_p_not_above_zero(difference, options);
    g.repaired = share_repaired(sweep, g.unhealed.loss_nats, g.gain_nats);
    p.push_back(g.p);
    out.push_back(std::move(g));
  }
  const auto adjusted = holm(p);
  for (size_t i = 0; i < out.size(); ++i) out[i].p_holm = adjusted[i];
  return out;
}

std::vector<HealedAccuracy> healed_accuracies(const HealResult& heal,
                                              const std::vector<AccuracySummary>& unhealed) {
  std::vector<HealedAccuracy> out;
  for (const AccuracySummary& s : unhealed) {
    const size_t first = out.size();
    for (const HealedPlan& healed : heal.healed)
      for (const HealedAnswers& answers : healed.answers) {
        if (answers.task != s.answered.task || answers.metric != s.answered.metric) continue;
        if (const auto* before = unhealed_answers(s.answered, healed.plan))
          out.push_back(accuracy_of(healed.plan, answers, s.answered, *before));
      }
    std::vector<PairedSummary*> family;
    for (size_t i = first; i < out.size(); ++i) family.push_back(&out[i].gain);
    adjust_family(family);
  }
  return out;
}

std::vector<AccuracySummary> healed_summaries(const HealResult& heal,
                                              const std::vector<AccuracySummary>& unhealed,
                                              const SummaryOptions& options) {
  std::vector<AccuracySummary> out;
  for (const AccuracySummary& s : unhealed) {
    const std::optional<size_t> whole = s.answered.whole();
    if (!whole) continue;
    AnsweredTask answered = s.answered;
    answered.plans.clear();
    answered.right.clear();
    for (const HealedPlan& healed : heal.healed)
      for (const HealedAnswers& answers : healed.answers) {
        if (answers.task != s.answered.task || answers.metric != s.answered.metric) continue;
        const std::string& strategy = healed.plan.strategy;
        if (answered.plans.empty() || answered.plans.back().strategy != strategy) {
          answered.plans.push_back({strategy, 0, {}});
          answered.right.push_back(s.answered.right[*whole]);
        }
        answered.plans.push_back(
            {strategy, healed.plan.removed_count(), healed.plan.removed_text()});
        answered.right.push_back(answers.right);
      }
    if (!answered.plans.empty()) out.push_back(summarise(std::move(answered), options));
  }
  return out;
}

std::vector<NamedFile> heal_files(const HealResult& heal, const SweepResult& sweep,
                                  const std::vector<HealingGain>& gains,
                                  const std::vector<HealedAccuracy>& accuracies) {
  std::vector<NamedFile> out{losses_file(gains), documents_file(heal, sweep)};
  if (!accuracies.empty()) out.push_back(accuracy_file(accuracies));
  for (const TrainedPlan& trained : heal.trained) out.push_back(training_rows(trained));
  return out;
}

}  // namespace plumb::harness
