#pragma once

#include <vector>

#include "base/statistics/bootstrap.h"
#include "harness/pipeline/healing_summary.h"
#include "harness/pipeline/run.h"
#include "harness/pipeline/tables.h"
#include "harness/verify/published.h"
#include "reports/report.h"

namespace plumb::harness {

/// What people choose a model by: its repository, a GGUF file's name, a folder's name. What a GGUF file says of itself
/// ("general.name") is often its training run's, and is in the provenance.
std::string known_as(const ModelFacts& model);

/// A run with what the report shows of it, computed once.
struct Shown {
  const Run& run;
  BootstrapOptions options;
  std::vector<PairDistance> pairs;
  std::vector<PairDistance> post_norm;
  std::vector<PlanLoss> losses;    ///< in the order of run.sweep.plans
  std::vector<HealingGain> gains;  ///< in the order of run.heal; none where there is none
  std::vector<HealedAccuracy> healed_accuracies;

  std::vector<PublishedCurve> given;  ///< a user's curves, beside those of the literature

  explicit Shown(const Run& shown_run);
  int64_t blocks() const { return run.model.block_count; }
  /// Whether the experiment compares this strategy over all n: not what is measured beside it at some.
  bool is_compared(const std::string& strategy) const;
  /// Index of a strategy's plan of n blocks, or none.
  std::optional<size_t> plan(const std::string& strategy, int64_t n) const;
};

/// What a run found, in the few figures that stand on top.
std::vector<std::pair<std::string, std::string>> headline(const Shown& shown,
                                                          const std::vector<Verdict>& verdicts);

/// The same in sentences.
std::vector<std::string> findings(const Shown& shown, const std::vector<Verdict>& verdicts);
/// Largest n such that for it and every smaller one of the strategy the loss is at most 10 % above the whole model's, by
/// the upper end of the paired interval; -1 without the whole model.
int64_t cheap_blocks(const Shown& shown, const std::string& strategy);
std::vector<reports::Chapter> method(const Run& run);

reports::PlanFigure plan_diagram(const Shown& shown);
reports::HeatFigure distance_figure(const Shown& shown);
reports::LineFigure loss_figure(const Shown& shown);
/// Where a figure of normalised losses ends: above this all that is seen is that a model is broken, and the curves below would be
/// pressed flat. None where no point lies beyond.
std::optional<double> loss_ceiling(const reports::LineFigure& figure);
/// Of a sweep that has the whole model.
reports::LineFigure divergence_figure(const Shown& shown);
reports::LineFigure same_top_figure(const Shown& shown);
reports::LineFigure last_block_figure(const Shown& shown);
/// Of a run that measured the deepest blocks, the last one among them, beside simple.
bool has_deepest(const Shown& shown);
reports::LineFigure deepest_loss_figure(const Shown& shown);
reports::LineFigure deepest_accuracy_figure(const AccuracySummary& summary);
reports::LineFigure stability_figure(const Shown& shown);
reports::LineFigure memory_figure(const Shown& shown);
reports::LineFigure latency_figure(const Shown& shown, bool decode);

/// Of a run that has healed something.
reports::LineFigure healed_loss_figure(const Shown& shown);
reports::LineFigure training_figure(const Shown& shown);
reports::Table healing_table(const Shown& shown);
reports::Table healed_accuracy_table(const Shown& shown);
reports::Table composition_table(const Shown& shown);

/// Accuracy on one task, by one metric, against the fraction removed.
reports::LineFigure accuracy_figure(const Shown& shown, const AccuracySummary& summary);
reports::Table collapse_table(const Shown& shown);
reports::Table accuracy_table(const Shown& shown, const std::string& task);
reports::Table difference_table(const AccuracySummary& summary);

/// Of a run that has continued the fixed prompt.
reports::Table continuation_table(const Shown& shown);
reports::Table plan_table(const Shown& shown);
reports::Table loss_table(const Shown& shown);
reports::Table cost_table(const Shown& shown);
/// Numbers of other models, from fixtures/claims: to compare with, never measured here.
reports::Table published_table();
reports::Table removal_table();

std::vector<Record> records_of(const Shown& shown);
/// None of a run that has healed nothing.
std::vector<Record> healing_records(const Shown& shown);
std::vector<Record> accuracy_records(const Run& run);
/// What limits the accuracies: a model at chance, a smoke set that is too hard.
std::vector<std::string> accuracy_warnings(const Run& run);
/// Tasks and question files, for the provenance.
Pairs question_pairs(const Run& run);
/// The text that was trained on.
Pairs healing_pairs(const Run& run);
std::vector<std::pair<std::string, Pairs>> provenance_of(const Run& run);
/// Groups model, loss, cost, system: what two runs must share to be compared.
std::vector<std::pair<std::string, Pairs>> subject_of(const Run& run);

/// The whole report of a run, with the verdicts and curves of those that are given.
reports::Report build_report(const Run& run, const std::vector<Verdict>& verdicts,
                             const std::vector<PublishedCurve>& given = {});

}  // namespace plumb::harness
