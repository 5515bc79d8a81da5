// Accuracies of questions: a figure for each task, and its tables.

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/experiment/embedded.h"
#include "harness/presentation/curves.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

std::string per_cent(double fraction) { return number_text(100 * fraction, 3) + " %"; }

const TaskFacts& facts_of(const Shown& shown, const AccuracySummary& s) {
  for (const TaskAnswers& task : shown.run.questions->tasks)
    for (const AnsweredTask& answered : task.answered)
      if (answered.task == s.answered.task) return task.facts;
  throw Error(ErrorKind::kInvariant, text("task ", s.answered.task, " has no facts"));
}

std::string id_of(const std::string& kind, const AccuracySummary& s) {
  std::string id = kind + "-" + s.answered.task;
  for (char& c : id)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  std::transform(id.begin(), id.end(), id.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return id;
}

/// Where the paper's text has the accuracy of other models collapse: a band, or a mark where it gives one number.
struct PaperCollapse {
  std::vector<reports::Band> bands;
  std::vector<reports::Reference> marks;
  std::string words;
};
PaperCollapse paper_collapse() {
  PaperCollapse out;
  const auto file = parse_json(collapse_fractions_json());
  for (const auto& band : file.at("bands")) {
    const double low = band.at("low"), high = band.at("high");
    const std::string model = band.at("model");
    if (low < high)
      out.bands.push_back({.label = model + ", paper", .low = low, .high = high});
    else
      out.marks.push_back({.label = model + ", paper", .value = low, .vertical = true});
    out.words += text(out.words.empty() ? "" : ", ", model, " ", number_text(100 * low, 3),
                      low < high ? text("-", number_text(100 * high, 3)) : std::string(), " %");
  }
  const std::string source = file.at("source");
  out.words =
      text("Paper: where the MMLU accuracy of other, healed and larger models falls to chance (",
           out.words, "): ", source.substr(0, source.find(';')), ".");
  return out;
}

std::string collapse_words(const Shown& shown, const AccuracySummary& s) {
  std::string out;
  for (const AccuracyCurve& curve : s.curves) {
    if (!shown.is_compared(curve.strategy)) continue;
    if (!curve.not_run.empty()) return "No collapse is fitted: " + curve.not_run + ".";
    if (!curve.collapse->shown) out += text(" ", curve.strategy, ": none is shown.");
  }
  const std::string average =
      s.over_groups() ? text(", of the mean over each ", s.answered.cluster_field, ",") : "";
  return text("f0 is where the logistic", average, " has lost half of its fall; shaded: its 95 % ",
              "interval, whole questions resampled.", out);
}

std::string what_was_asked(const TaskFacts& f, const AccuracySummary& s) {
  std::string out = text("Share of ", f.questions, " questions answered right (", s.answered.metric,
                         "; ", f.protocol, " protocol, ", f.shots, " shots, ", f.scoring, ")");
  if (f.questions < f.questions_in_file) out += text(", of ", f.questions_in_file, " in the file");
  out += text(
      ". Bands: 95 % over the whole curve at once (max-T, whole questions resampled); intervals of "
      "single "
      "plans in the table: ",
      s.plans.front().interval.method, ".");
  if (f.name == "smoke")
    out += text(
        " This is a smoke set: easy sentences to finish, which show that a small model is "
        "damaged. It is no benchmark, and no paper has a number for it. ",
        detectable_text(f.questions), "; smaller ones stay unseen.");
  return out;
}

const PlanComparison* comparison(const std::vector<PlanComparison>& all, size_t plan) {
  for (const PlanComparison& c : all)
    if (c.plan == plan) return &c;
  return nullptr;
}

/// Where a curve collapses, if that was shown: its centre and interval.
void add_collapse(const AccuracyCurve& curve, const std::string& how, reports::LineFigure& figure) {
  if (!curve.collapse || !curve.collapse->shown) return;
  const Collapse& c = *curve.collapse;
  figure.bands.push_back(
      {.label = text("f0, ", curve.strategy, how), .low = c.f0.low, .high = c.f0.high});
  figure.references.push_back({.label = "", .value = c.logistic.centre, .vertical = true});
}

}  // namespace

reports::LineFigure accuracy_figure(const Shown& shown, const AccuracySummary& s) {
  const TaskFacts& facts = facts_of(shown, s);
  reports::LineFigure figure{
      .id = id_of("accuracy", s),
      .title = text("Accuracy on ", s.answered.task, " against the fraction of blocks removed"),
      .x_label = "fraction of blocks removed, n / L",
      .y_label = text("accuracy (", s.answered.metric, ")"),
      .x_is_fraction = true,
      .y_low = 0,
      .y_high = 1};
  PaperCollapse paper = paper_collapse();
  figure.bands = paper.bands;
  figure.references = {{.label = "chance", .value = s.answered.chance}};
  for (const AccuracyCurve& curve : s.curves) {
    if (!shown.is_compared(curve.strategy)) continue;
    figure.series.push_back(series_of(accuracy_curve(s, curve, shown.options), curve.strategy));
    reports::Series healed{.label = curve.strategy + ", healed"};
    for (const HealedAccuracy& a : shown.healed_accuracies)
      if (a.plan.strategy == curve.strategy && a.task == s.answered.task &&
          a.metric == s.answered.metric)
        healed.points.push_back({.x = static_cast<double>(a.plan.removed_count()) /
                                      static_cast<double>(s.answered.block_count),
                                 .y = a.accuracy,
                                 .low = a.interval.low,
                                 .high = a.interval.high});
    if (!healed.points.empty()) figure.series.push_back(std::move(healed));
    add_collapse(curve, "", figure);
    for (const AccuracySummary& h : shown.run.healed_accuracy)
      if (h.answered.task == s.answered.task && h.answered.metric == s.answered.metric)
        if (const AccuracyCurve* found = h.curve(curve.strategy))
          add_collapse(*found, ", healed", figure);
  }
  for (const PublishedCurve& curve : other_curves(shown, s.answered.task))
    figure.series.push_back(series_of(curve));
  figure.references.insert(figure.references.end(), paper.marks.begin(), paper.marks.end());
  figure.caption = text(what_was_asked(facts, s), " ", collapse_words(shown, s), " ", paper.words);
  return figure;
}

reports::Table collapse_table(const Shown& shown) {
  reports::Table table{
      .id = "collapse",
      .title = "Where accuracy collapses, and how flat it is before",
      .caption =
          "f0 and width w of a(f) = c + (A - c) / (1 + exp((f - f0) / w)), fractions of the "
          "blocks, "
          "with 95 % intervals by question; of a task with subjects a is the mean of the subjects' "
          "accuracies. Shown: better than a straight line by BIC 6, and not at an end of the "
          "range. "
          "Flat to n: for it and every smaller n the loss is shown to be below 0.02. Rising p: "
          "that "
          "accuracy never rises (isotonic likelihood ratio); small is against it.",
      .columns = {"task", "metric", "strategy", "f0", "interval", "width", "interval", "shown",
                  "flat to n", "rising p"},
      .numeric = {false, false, false, true, true, true, true, false, true, true}};
  const auto add = [&](const AccuracySummary& s, const AccuracyCurve& curve, const char* how) {
    std::vector<std::string> row = {s.answered.task, s.answered.metric, curve.strategy + how};
    if (!curve.not_run.empty()) {
      row.insert(row.end(), {"not run", "", "", "", curve.not_run, "", ""});
    } else {
      const Collapse& c = *curve.collapse;
      row.insert(row.end(), {number_text(c.logistic.centre, 3), interval_text(c.f0),
                             number_text(c.logistic.width, 2), interval_text(c.width),
                             c.shown ? c.sharp ? "yes, sharp" : "yes" : "no", text(curve.flat_to),
                             p_text(curve.falling->p)});
    }
    table.rows.push_back(std::move(row));
  };
  for (const AccuracySummary& s : shown.run.accuracy)
    for (const AccuracyCurve& curve : s.curves)
      if (shown.is_compared(curve.strategy)) add(s, curve, "");
  for (const AccuracySummary& s : shown.run.healed_accuracy)
    for (const AccuracyCurve& curve : s.curves) add(s, curve, ", healed");
  return table;
}

reports::Table accuracy_table(const Shown& shown, const std::string& task) {
  std::vector<const AccuracySummary*> metrics;
  for (const AccuracySummary& s : shown.run.accuracy)
    if (s.answered.task == task) metrics.push_back(&s);
  const AccuracySummary& first = *metrics.front();
  const bool grouped = first.answered.role == ClusterRole::kGroups;
  reports::Table table{
      .id = id_of("answers", first),
      .title = text("Accuracy of every plan on ", task),
      .caption =
          text("95 % intervals. Left: (accuracy - chance) / (the whole model's - chance), of ",
               first.answered.metric, ": 1 is all of its knowledge, 0 a guess."),
      .columns = {"strategy", "n", "removed", "blocks"},
      .numeric = {false, true, true, false}};
  for (const AccuracySummary* s : metrics) {
    table.columns.push_back(s->answered.metric);
    table.columns.push_back("interval");
    table.numeric.insert(table.numeric.end(), 2, true);
  }
  if (grouped) table.columns.push_back(text("mean of ", first.answered.cluster_field, "s"));
  table.columns.push_back("left");
  table.numeric.resize(table.columns.size(), true);
  for (size_t i = 0; i < first.plans.size(); ++i) {
    const AnsweredPlan& plan = first.answered.plans[i];
    std::vector<std::string> row = {plan.strategy, text(plan.n), per_cent(first.fraction(i)),
                                    plan.n == 0 ? "none" : plan.removed};
    for (const AccuracySummary* s : metrics) {
      row.push_back(number_text(s->plans[i].accuracy, 3));
      row.push_back(interval_text(s->plans[i].interval));
    }
    if (grouped) row.push_back(number_text(first.plans[i].averages.macro, 3));
    row.push_back(first.above_chance && first.plans[i].calibrated
                      ? number_text(first.plans[i].calibrated->value, 2)
                      : "not run");
    table.rows.push_back(std::move(row));
  }
  return table;
}

reports::Table difference_table(const AccuracySummary& s) {
  reports::Table table{
      .id = id_of("differences", s),
      .title = text("Paired differences on ", s.answered.task, ", ", s.answered.metric),
      .caption = text(
          "On the same questions: each plan less the whole model, with Tango's 95 % interval, and "
          "less simple of the same n. p: McNemar, mid-p; Holm and BH (Benjamini-Hochberg) adjust "
          "over the plans of a strategy. Flat: shown to lose less than ",
          kFlatMargin,
          " (one-sided, 0.05). Detectable: the least difference that this many questions find with "
          "probability 0.8 where as many answers differ.",
          s.above_chance ? "" : " Flatness is not run: " + s.not_above_chance + "."),
      .columns = {"strategy", "n", "less whole", "interval", "p", "Holm", "BH", "flat",
                  "detectable", "less simple", "Holm"},
      .numeric = {false, true, true, true, true, true, true, false, true, true, true}};
  for (const PlanComparison& c : s.against_whole) {
    const AnsweredPlan& plan = s.answered.plans[c.plan];
    const PlanComparison* simple = comparison(s.against_simple, c.plan);
    table.rows.push_back({plan.strategy, text(plan.n), number_text(c.pair.difference, 3),
                          interval_text(c.pair.interval), p_text(c.pair.p), p_text(c.pair.p_holm),
                          p_text(c.pair.p_bh),
                          !s.above_chance     ? "not run"
                          : c.pair.flat.shown ? "yes"
                                              : "not shown",
                          c.pair.detectable ? number_text(*c.pair.detectable, 2) : "",
                          simple != nullptr ? number_text(simple->pair.difference, 3) : "",
                          simple != nullptr ? p_text(simple->pair.p_holm) : ""});
  }
  return table;
}

}  // namespace plumb::harness
