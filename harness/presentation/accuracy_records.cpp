// Accuracies of questions as records, and what limits them.

#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

constexpr double kEasy = 0.5;  ///< what the whole model's lower bound has to pass on the smoke set

std::vector<Dimension> dimensions(const AccuracySummary& s, size_t plan) {
  return {{"task", s.answered.task},
          {"metric", s.answered.metric},
          {"strategy", s.answered.plans[plan].strategy},
          {"n", s.answered.plans[plan].n},
          {"removed", s.answered.plans[plan].removed}};
}

void add_plan(const AccuracySummary& s, size_t i, const std::string& log,
              std::vector<Record>& out) {
  const PlanAccuracy& plan = s.plans[i];
  out.push_back({.name = "accuracy",
                 .dimensions = dimensions(s, i),
                 .value = plan.accuracy,
                 .unit = "1",
                 .interval = plan.interval,
                 .samples_file = log,
                 .higher_is_better = true});
  if (s.answered.role == ClusterRole::kGroups)
    out.push_back({.name = "accuracy_macro",
                   .dimensions = dimensions(s, i),
                   .value = plan.averages.macro,
                   .unit = "1",
                   .higher_is_better = true});
  Record left{.name = "calibrated_accuracy",
              .dimensions = dimensions(s, i),
              .unit = "1",
              .higher_is_better = true};
  if (s.above_chance && plan.calibrated) {
    left.value = plan.calibrated->value;
    left.interval = plan.calibrated->interval;
  } else {
    left.absent_reason = s.not_above_chance;
  }
  out.push_back(std::move(left));
}

void add_comparisons(const AccuracySummary& s, const std::string& name,
                     const std::vector<PlanComparison>& comparisons, std::vector<Record>& out) {
  for (const PlanComparison& c : comparisons) {
    out.push_back({.name = name,
                   .dimensions = dimensions(s, c.plan),
                   .value = c.pair.difference,
                   .unit = "1",
                   .interval = c.pair.interval,
                   .higher_is_better = true});
    for (const auto& [suffix, p] : {std::pair(".p", c.pair.p), std::pair(".p_holm", c.pair.p_holm),
                                    std::pair(".p_benjamini_hochberg", c.pair.p_bh)})
      out.push_back(
          {.name = name + suffix, .dimensions = dimensions(s, c.plan), .value = p, .unit = "1"});
  }
}

/// Of healed plans every name begins with `prefix`.
void add_curve(const AccuracySummary& s, const AccuracyCurve& curve, const std::string& prefix,
               std::vector<Record>& out) {
  const auto add = [&](const char* name, const char* unit, Value value,
                       std::optional<Interval> interval = {}) {
    Record record{.name = prefix + name,
                  .dimensions = {{"task", s.answered.task},
                                 {"metric", s.answered.metric},
                                 {"strategy", curve.strategy}},
                  .unit = unit};
    if (curve.not_run.empty()) {
      record.value = std::move(value);
      record.interval = std::move(interval);
    } else {
      record.absent_reason = curve.not_run;
    }
    out.push_back(std::move(record));
  };
  const bool run = curve.not_run.empty();
  const Collapse none;
  const Collapse& c = run ? *curve.collapse : none;
  add("f0", "fraction of blocks", c.logistic.centre, c.f0);
  add("collapse_width", "fraction of blocks", c.logistic.width, c.width);
  add("collapse_shown", "1", c.shown);
  add("flat_to_n", "blocks", curve.flat_to);
  add("never_rising.p", "1", run ? curve.falling->p : 1.0);
}

}  // namespace

std::vector<Record> accuracy_records(const Run& run) {
  std::vector<Record> out;
  for (const AccuracySummary& s : run.accuracy) {
    const std::string log = text("questions/", s.answered.task, ".jsonl");
    for (size_t i = 0; i < s.plans.size(); ++i) add_plan(s, i, log, out);
    add_comparisons(s, "accuracy_less_whole", s.against_whole, out);
    add_comparisons(s, "accuracy_less_simple", s.against_simple, out);
    for (const AccuracyCurve& curve : s.curves) add_curve(s, curve, "", out);
  }
  for (const AccuracySummary& s : run.healed_accuracy)
    for (const AccuracyCurve& curve : s.curves) add_curve(s, curve, "healed_", out);
  return out;
}

std::vector<std::string> accuracy_warnings(const Run& run) {
  std::vector<std::string> out;
  for (const AccuracySummary& s : run.accuracy) {
    if (!s.above_chance) {
      out.push_back(text(s.answered.task, " (", s.answered.metric, "): ", s.not_above_chance));
      continue;
    }
    const Interval& whole = s.plans[*s.answered.whole()].interval;
    if (s.answered.task == "smoke" && whole.low <= kEasy)
      out.push_back(text("smoke (", s.answered.metric,
                         ") is too hard for this model: of the whole "
                         "one's accuracy the lower bound is ",
                         number_text(whole.low, 3), ", needed more than ", kEasy));
  }
  return out;
}

Pairs question_pairs(const Run& run) {
  Pairs out;
  if (!run.questions) return out;
  for (const TaskAnswers& task : run.questions->tasks) {
    const TaskFacts& f = task.facts;
    const std::string prefix = text("questions ", f.name, " ");
    out.emplace_back(
        prefix + "task",
        text("version ", f.version, ", ", f.protocol, " protocol, ", f.scoring, ", ", f.shots,
             " shots (", f.shots_dropped, " dropped in all, ", f.questions_cut, " questions cut)"));
    out.emplace_back(prefix + "task sha256", f.sha256);
    out.emplace_back(prefix + "file",
                     text(f.questions, " of ", f.questions_in_file, " questions of ", f.file,
                          f.built_in ? ", part of the program" : ""));
    out.emplace_back(prefix + "file sha256", f.file_sha256);
    if (!f.note.empty()) out.emplace_back(prefix + "note", f.note);
  }
  return out;
}

}  // namespace plumb::harness
