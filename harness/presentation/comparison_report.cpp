#include "harness/presentation/comparison_report.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/presentation/curves.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

struct Compared {
  const Run* run;
  std::string label;
  std::unique_ptr<Shown> shown;
  std::vector<Verdict> verdicts;
};

/// The model's name, and the folder's where several runs are of one model.
std::vector<std::string> labels_of(const std::vector<Run>& runs,
                                   const std::vector<std::string>& folders) {
  std::vector<std::string> out;
  std::set<std::string> taken;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string name = known_as(runs[i].model);
    const bool alone = std::count_if(runs.begin(), runs.end(), [&](const Run& run) {
                         return known_as(run.model) == name;
                       }) == 1;
    std::filesystem::path folder = std::filesystem::path(folders[i]).lexically_normal();
    if (!folder.has_filename()) folder = folder.parent_path();
    const std::string wanted = alone ? name : text(name, " (", folder.filename().string(), ")");
    std::string label = wanted;
    for (int k = 2; !taken.insert(label).second; ++k) label = text(wanted, " ", k);
    out.push_back(label);
  }
  return out;
}

/// Strategies that are drawn: eight lines at most can be told apart.
std::vector<std::string> drawn_strategies(const std::vector<Compared>& all, const Compared& one) {
  std::vector<std::string> out = one.run->experiment.strategies;
  const size_t most = std::max<size_t>(1, 8 / all.size());
  if (out.size() > most) out.resize(most);
  return out;
}

reports::LineFigure fraction_figure(const char* id, std::string title, std::string y_label,
                                    std::string caption) {
  return {.id = id,
          .title = std::move(title),
          .caption = std::move(caption),
          .x_label = "fraction of blocks removed, n / L",
          .y_label = std::move(y_label),
          .x_is_fraction = true,
          .y_low = 0};
}

reports::LineFigure losses(const std::vector<Compared>& all) {
  reports::LineFigure figure =
      fraction_figure("loss", "Loss against the fraction of blocks removed", "loss / ln V",
                      "Normalised by each model's own vocabulary. Bands: 95 % over a whole curve "
                      "at once (max-T, documents resampled).");
  figure.references = {{.label = "random guess", .value = 1}};
  for (const Compared& one : all)
    for (const std::string& strategy : drawn_strategies(all, one))
      figure.series.push_back(
          series_of(loss_curve(*one.shown, strategy), text(one.label, ", ", strategy)));
  figure.y_high = loss_ceiling(figure);
  return figure;
}

std::vector<reports::LineFigure> accuracies(const std::vector<Compared>& all) {
  std::vector<reports::LineFigure> out;
  for (const Compared& one : all)
    for (const AccuracySummary* s : first_metrics(one.run->accuracy)) {
      const std::string id = text("accuracy-", s->answered.task);
      auto at = std::find_if(out.begin(), out.end(), [&](const auto& f) { return f.id == id; });
      if (at == out.end()) {
        out.push_back(fraction_figure(
            "", text("Accuracy on ", s->answered.task, " against the fraction of blocks removed"),
            text("accuracy (", s->answered.metric, ")"),
            "Bands: 95 % over a whole curve at once (max-T, questions resampled)."));
        at = out.end() - 1;
        at->id = id;
        at->y_high = 1;
        at->references = {{.label = "chance", .value = s->answered.chance}};
      }
      for (const std::string& strategy : drawn_strategies(all, one))
        if (const AccuracyCurve* curve = s->curve(strategy))
          at->series.push_back(series_of(accuracy_curve(*s, *curve, one.shown->options),
                                         text(one.label, ", ", strategy)));
    }
  return out;
}

/// What a configuration takes of what the first of its run takes.
template <typename Value>
std::optional<reports::LineFigure> costs(const std::vector<Compared>& all, const char* id,
                                         std::string title, Value value) {
  reports::LineFigure figure =
      fraction_figure(id, std::move(title), "share of the least n's",
                      "Each run against its own first configuration, so that machines and sizes do "
                      "not matter. Dashed: 1 - n / L, of the "
                      "blocks alone.");
  double furthest = 0;
  for (const Compared& one : all) {
    if (!one.run->cost || one.run->cost->points.empty()) continue;
    reports::Series series{.label = one.label};
    const double whole = value(one.run->cost->points.front().cost);
    for (const CostPoint& point : one.run->cost->points) {
      const double x =
          static_cast<double>(point.n) / static_cast<double>(one.run->cost->block_count);
      furthest = std::max(furthest, x);
      series.points.push_back({.x = x, .y = value(point.cost) / whole});
    }
    figure.series.push_back(std::move(series));
  }
  if (figure.series.empty()) return std::nullopt;
  figure.series.push_back({.label = "1 - n / L",
                           .points = {{.x = 0, .y = 1}, {.x = furthest, .y = 1 - furthest}},
                           .dashed = true,
                           .markers = false});
  return figure;
}

reports::LineFigure starts(const std::vector<Compared>& all) {
  reports::LineFigure figure =
      fraction_figure("starts", "Where the most similar blocks begin", "l*(n) / L",
                      "First of the n blocks that similarity removes. On the upper edge, 1 - n / "
                      "L, they are the deepest ones.");
  figure.y_high = 1;
  for (const Compared& one : all) {
    reports::Series series{.label = one.label};
    const auto blocks = static_cast<double>(one.run->model.block_count);
    for (const auto& start : one.run->plans.starts)
      series.points.push_back({.x = static_cast<double>(start.n) / blocks,
                               .y = static_cast<double>(start.first) / blocks});
    if (!series.points.empty()) figure.series.push_back(std::move(series));
  }
  return figure;
}

reports::Table verdict_table(const std::vector<Compared>& all) {
  reports::Table table{.id = "verdicts-side-by-side",
                       .title = "Verdicts side by side",
                       .caption = "Each run's report has the numbers and what each claim says.",
                       .columns = {"claim"}};
  for (const Compared& one : all) table.columns.push_back(one.label);
  table.numeric.assign(table.columns.size(), false);
  for (const Verdict& first : all.front().verdicts) {
    std::vector<std::string> row = {first.title};
    for (const Compared& one : all) {
      const auto at = std::find_if(one.verdicts.begin(), one.verdicts.end(),
                                   [&](const Verdict& v) { return v.claim == first.claim; });
      row.push_back(at == one.verdicts.end() ? "not judged" : std::string(verdict_name(at->kind)));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// The first run's curve against another's of the same strategy, which is taken as a published one.
reports::Table agreement_between(const std::vector<Compared>& all) {
  reports::Table table{
      .id = "agreement",
      .title = text("How far curves agree with those of ", all.front().label),
      .caption =
          "At the other run's fractions, the first one's values on the line between its "
          "neighbours. RMSE, Lin's "
          "concordance (1: equal at every point), and the difference of f0, the centre of a "
          "logistic. Outside: "
          "points of the other outside of the first one's band, 95 % over the whole curve.",
      .columns = {"quantity", "run", "strategy", "points", "RMSE", "concordance", "f0", "outside"},
      .numeric = {false, false, false, true, true, true, true, true}};
  const auto add = [&](const std::string& quantity, const Compared& other,
                       const MeasuredCurve& ours, const MeasuredCurve& theirs) {
    const PublishedCurve curve{.label = other.label,
                               .quantity = quantity,
                               .fractions = theirs.fractions,
                               .values = theirs.values};
    if (const auto found = agreement_of(ours, curve))
      table.rows.push_back(
          {quantity, other.label, ours.strategy, text(found->points), number_text(found->rmse, 3),
           number_text(found->concordance, 3),
           found->f0_difference ? number_text(*found->f0_difference, 2) : "fewer than 5 points",
           text(found->outside)});
  };
  const Compared& first = all.front();
  for (size_t i = 1; i < all.size(); ++i) {
    const Compared& other = all[i];
    for (const std::string& strategy : first.run->experiment.strategies)
      if (other.shown->is_compared(strategy))
        add("loss", other, loss_curve(*first.shown, strategy), loss_curve(*other.shown, strategy));
    for (const AccuracySummary* a : first_metrics(first.run->accuracy))
      for (const AccuracySummary* b : first_metrics(other.run->accuracy))
        if (a->answered.task == b->answered.task)
          for (const AccuracyCurve& ours : a->curves)
            if (const AccuracyCurve* theirs = b->curve(ours.strategy);
                theirs != nullptr && first.shown->is_compared(ours.strategy))
              add(a->answered.task, other, accuracy_curve(*a, ours, first.shown->options),
                  accuracy_curve(*b, *theirs, other.shown->options));
  }
  return table;
}

/// PASS where all are equal; INCOMPARABLE else, as differences may then be those of what was measured.
Verdict same(const std::vector<Compared>& all, const char* claim, const char* title,
             const char* statement, const char* next,
             const std::function<std::string(const Run&)>& fact) {
  Verdict v;
  v.claim = claim;
  v.title = title;
  v.statement = statement;
  v.source = "Plumb";
  std::string differing;
  const std::string first = fact(*all.front().run);
  for (const Compared& one : all)
    if (const std::string other = fact(*one.run); other != first)
      differing += text(differing.empty() ? "" : "; ", one.label, ": ", other);
  if (differing.empty())
    decide(v, VerdictKind::kPass, text("all: ", first));
  else
    decide(v, VerdictKind::kIncomparable, text(all.front().label, ": ", first, "; ", differing),
           next);
  return v;
}

std::string text_fact(const TextFacts& t) {
  return text(t.documents.size(), " documents of ", t.token_count, " tokens from ", t.file,
              ", sha256 ", t.sha256.substr(0, 12));
}

std::string machine_fact(const Run& run) {
  std::string cpu = "unknown CPU";
  for (const auto& [key, value] : run.environment.machine)
    if (key == "CPU") cpu = value;
  return text(cpu, ", ", run.experiment.threads,
              run.experiment.threads == 1 ? " thread, " : " threads, ", run.experiment.dtype, ", ",
              run.experiment.device);
}

std::vector<Verdict> comparability(const std::vector<Compared>& all) {
  return {same(all, "same-text", "All runs measured the loss on the same text",
               "File, documents and tokens of the validation text are equal.",
               "give all runs the same validation.documents, limit and max_tokens",
               [](const Run& run) { return text_fact(run.sweep.text); }),
          same(all, "same-calibration", "All runs chose their plans on the same text",
               "File, documents and tokens of the calibration text are equal.",
               "give all runs the same calibration.documents, limit and max_tokens",
               [](const Run& run) { return text_fact(run.profile.text); }),
          same(all, "same-machine", "All runs ran on the same machine in the same way",
               "CPU, threads, dtype and device are equal; else times and memory compare machines.",
               "run all on one machine with the same threads and dtype", machine_fact)};
}

std::string finding(const Compared& one) {
  std::string out = one.label + ":";
  for (const std::string& strategy : one.run->experiment.strategies)
    if (const int64_t n = cheap_blocks(*one.shown, strategy); n >= 0)
      out += text(" ", n, " of ", one.run->model.block_count, " blocks can go by ", strategy,
                  " before the loss rises by more than a tenth;");
  const auto passed = std::count_if(one.verdicts.begin(), one.verdicts.end(),
                                    [](const Verdict& v) { return v.kind == VerdictKind::kPass; });
  return text(out, " ", passed, " of ", one.verdicts.size(), " claims passed.");
}

void add_records(const Compared& one, reports::Report& report) {
  const auto add = [&](std::vector<Record> records) {
    for (Record& record : records) {
      record.dimensions.insert(record.dimensions.begin(), Dimension{"run", one.label});
      record.samples_file.clear();  // lies in the run's own folder
      report.records.push_back(std::move(record));
    }
  };
  add(records_of(*one.shown));
  add(healing_records(*one.shown));
  add(accuracy_records(*one.run));
}

}  // namespace

reports::Report build_comparison(const std::vector<Run>& runs,
                                 const std::vector<std::string>& folders) {
  if (runs.size() < 2)
    throw Error(ErrorKind::kUsage, text(runs.size(), " run is to be compared, needed 2 or more"));
  const std::vector<std::string> labels = labels_of(runs, folders);
  std::vector<Compared> all;
  for (size_t i = 0; i < runs.size(); ++i)
    all.push_back({&runs[i], labels[i], std::make_unique<Shown>(runs[i]), judge(runs[i])});
  reports::Report report;
  report.title = text(runs.size(), " runs side by side");
  for (const Compared& one : all) {
    report.subtitle += (report.subtitle.empty() ? "" : ", ") + one.label;
    report.findings.push_back(finding(one));
    const auto passed =
        std::count_if(one.verdicts.begin(), one.verdicts.end(),
                      [](const Verdict& v) { return v.kind == VerdictKind::kPass; });
    report.headline.emplace_back(text("Claims passed, ", one.label),
                                 text(passed, " of ", one.verdicts.size()));
    for (const std::string& warning : one.run->warnings)
      report.warnings.push_back(text(one.label, ": ", warning));
    Pairs facts = {{"model sha256", one.run->model.sha256},
                   {"experiment", one.run->experiment.name},
                   {"machine", machine_fact(*one.run)},
                   {"validation", text_fact(one.run->sweep.text)},
                   {"command", one.run->command_line}};
    report.provenance.emplace_back(one.label, std::move(facts));
    report.run.emplace_back(text("finished ", one.label), one.run->finished);
    add_records(one, report);
  }
  report.verdicts = comparability(all);
  report.method = method(runs.front());
  report.figures = {losses(all)};
  for (reports::LineFigure& figure : accuracies(all)) report.figures.push_back(std::move(figure));
  report.figures.push_back(starts(all));
  for (auto& figure :
       {costs(all, "memory", "Peak of memory against the fraction removed",
              [](const metrics::Cost& c) { return static_cast<double>(c.peak_resident_bytes); }),
        costs(all, "prefill", "Time of a prompt against the fraction removed",
              [](const metrics::Cost& c) { return median(c.prefill_ms); }),
        costs(all, "decode", "Time of a token against the fraction removed",
              [](const metrics::Cost& c) { return median(c.decode_ms_per_token); })})
    if (figure) report.figures.push_back(*figure);
  report.figures.push_back(verdict_table(all));
  if (reports::Table table = agreement_between(all); !table.rows.empty())
    report.figures.push_back(std::move(table));
  return report;
}

}  // namespace plumb::harness
