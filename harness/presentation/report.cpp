#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "harness/pipeline/healing_summary.h"
#include "harness/pipeline/publish.h"
#include "harness/presentation/curves.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

std::vector<std::pair<std::string, std::string>> run_object(const Run& run) {
  std::vector<std::pair<std::string, std::string>> out = {
      {"started", run.started}, {"finished", run.finished}, {"command", run.command_line}};
  if (const models::Origin& origin = run.model.origin; origin.is_known()) {
    out.emplace_back("model repository", origin.repository);
    out.emplace_back("model revision", origin.revision);
    out.emplace_back("model commit", origin.commit);
  }
  for (const StageTime& stage : run.stages)
    out.emplace_back(text("stage ", stage.stage),
                     text(stage.reused ? "reused, took " : "", duration_text(stage.seconds)));
  if (run.heal)
    for (const TrainedPlan& t : run.heal->trained) {
      double seconds = 0;
      for (const healing::TrainingRow& row : t.rows) seconds += row.seconds;
      out.emplace_back(
          text("heal ", t.plan.strategy, " ", t.plan.removed_count(), " tokens per second"),
          number_text(static_cast<double>(t.tokens) / seconds));
    }
  out.emplace_back("sweep tokens per second", number_text(run.sweep.tokens_per_second));
  out.emplace_back("sweep peak resident", bytes_text(run.sweep.peak_resident_bytes));
  out.insert(out.end(), run.memory.begin(), run.memory.end());
  return out;
}

}  // namespace

std::string known_as(const ModelFacts& model) {
  if (model.origin.is_known()) return model.origin.repository;
  const std::filesystem::path file(model.file);
  return file.extension() == ".gguf" || model.name.empty() ? file.stem().string() : model.name;
}

Shown::Shown(const Run& shown_run)
    : run(shown_run),
      options{.draws = run.experiment.draws, .seed = run.experiment.seed},
      pairs(pair_distances(run.profile.profile, options)),
      post_norm(post_norm_distances(run.profile.profile, options)),
      losses(losses_of(run.sweep, options)) {
  if (!run.heal) return;
  gains = healing_gains(*run.heal, run.sweep, options);
  healed_accuracies = harness::healed_accuracies(*run.heal, run.accuracy);
}

bool Shown::is_compared(const std::string& strategy) const {
  const auto& named = run.experiment.strategies;
  return std::find(named.begin(), named.end(), strategy) != named.end();
}

std::optional<size_t> Shown::plan(const std::string& strategy, int64_t n) const {
  for (size_t i = 0; i < run.sweep.plans.size(); ++i)
    if (run.sweep.plans[i].strategy == strategy && run.sweep.plans[i].removed_count() == n)
      return i;
  return std::nullopt;
}

reports::Report build_report(const Run& run, const std::vector<Verdict>& of_claims,
                             const std::vector<PublishedCurve>& given) {
  Shown shown(run);
  shown.given = given;
  std::vector<Verdict> verdicts = of_claims;
  for (Verdict& verdict : judge_curves(shown, given)) verdicts.push_back(std::move(verdict));
  reports::Report report;
  report.title = text("How many of its ", run.model.block_count, " blocks does ",
                      known_as(run.model), " need?");
  report.subtitle = text(version_line(), ", experiment ", run.experiment.name, ", ",
                         run.experiment.dtype, ", ", run.finished);
  report.headline = headline(shown, verdicts);
  report.warnings = run.warnings;
  for (std::string& warning : accuracy_warnings(run)) report.warnings.push_back(std::move(warning));
  report.verdicts = verdicts;
  report.findings = findings(shown, verdicts);
  report.method = method(run);
  report.figures = {plan_diagram(shown), loss_figure(shown)};
  const bool healed = !shown.gains.empty();
  if (healed) {
    report.figures.push_back(healed_loss_figure(shown));
    report.figures.push_back(training_figure(shown));
  }
  report.figures.push_back(distance_figure(shown));
  report.figures.push_back(last_block_figure(shown));
  report.figures.push_back(stability_figure(shown));
  for (const AccuracySummary* summary : first_metrics(run.accuracy))
    report.figures.push_back(accuracy_figure(shown, *summary));
  if (has_deepest(shown)) {
    report.figures.push_back(deepest_loss_figure(shown));
    for (const AccuracySummary* summary : first_metrics(run.accuracy))
      if (summary->curve("deepest") != nullptr && summary->curve("simple") != nullptr)
        report.figures.push_back(deepest_accuracy_figure(*summary));
  }
  if (run.sweep.losses.divergence_nats) {
    report.figures.push_back(divergence_figure(shown));
    report.figures.push_back(same_top_figure(shown));
  }
  if (run.cost) {
    report.figures.push_back(memory_figure(shown));
    report.figures.push_back(latency_figure(shown, false));
    report.figures.push_back(latency_figure(shown, true));
  }
  if (run.continuations && !run.continuations->texts.empty())
    report.figures.push_back(continuation_table(shown));
  report.figures.push_back(loss_table(shown));
  if (healed) report.figures.push_back(healing_table(shown));
  if (!shown.healed_accuracies.empty()) report.figures.push_back(healed_accuracy_table(shown));
  if (healed) report.figures.push_back(composition_table(shown));
  if (!run.accuracy.empty()) report.figures.push_back(collapse_table(shown));
  for (const AccuracySummary* summary : first_metrics(run.accuracy)) {
    report.figures.push_back(accuracy_table(shown, summary->answered.task));
    report.figures.push_back(difference_table(*summary));
  }
  report.figures.push_back(plan_table(shown));
  if (run.cost) report.figures.push_back(cost_table(shown));
  report.figures.push_back(agreement_table(shown));
  report.figures.push_back(published_table());
  report.figures.push_back(removal_table());
  report.records = records_of(shown);
  for (Record& record : healing_records(shown)) report.records.push_back(std::move(record));
  for (Record& record : accuracy_records(run)) report.records.push_back(std::move(record));
  report.provenance = provenance_of(run);
  report.subject = subject_of(run);
  report.run = run_object(run);
  return report;
}

void publish_run(const Run& run, const std::vector<Verdict>& verdicts, const std::string& folder) {
  const reports::Report report = build_report(run, verdicts);
  const BootstrapOptions options{.draws = run.experiment.draws, .seed = run.experiment.seed};
  auto files = profile_files(run.profile, run.plans, options);
  for (NamedFile& file : sweep_files(run.sweep, losses_of(run.sweep, options)))
    files.push_back(std::move(file));
  if (run.questions) files.push_back(accuracy_file(run.questions->evaluations, run.accuracy));
  if (run.heal)
    for (NamedFile& file :
         heal_files(*run.heal, run.sweep, healing_gains(*run.heal, run.sweep, options),
                    healed_accuracies(*run.heal, run.accuracy)))
      files.push_back(std::move(file));
  if (run.cost) files.push_back(cost_file(*run.cost));
  files.emplace_back("results.json", reports::to_results_json(report));
  files.emplace_back("junit.xml", reports::to_junit_xml(report));
  files.emplace_back("provenance.json", reports::to_provenance_json(report));
  files.emplace_back("report.html", reports::to_html(report));
  publish(files, folder,
          run.questions ? question_files(run.questions->evaluations) : std::vector<LargeFile>());
}

}  // namespace plumb::harness
