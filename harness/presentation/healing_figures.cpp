// What healing has done: losses and accuracies beside those unhealed, the trainings, and what 4 bits save.

#include <algorithm>

#include "base/error.h"
#include "harness/pipeline/composition.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

double fraction(const Shown& shown, const pruning::PruningPlan& plan) {
  return static_cast<double>(plan.removed_count()) / static_cast<double>(shown.blocks());
}

reports::Point loss_point(double x, const PlanLoss& loss) {
  return {.x = x, .y = loss.normalised, .low = loss.interval.low, .high = loss.interval.high};
}

std::string giga(double bytes) { return number_text(bytes / 1e9, 3) + " GB"; }
std::string per_cent(double share) { return number_text(100 * share, 3) + " %"; }

std::string plan_text(const pruning::PruningPlan& plan) {
  return plan.removed.empty() ? "none" : plan.removed_text();
}

std::string training_text(const Shown& shown) {
  const HealChoice& c = shown.run.experiment.heal;
  const TrainedPlan& first = shown.run.heal->trained.front();
  return text(c.preset.empty() ? "" : c.preset + "'s preset, ", c.steps, " steps of ",
              c.batch * c.accumulation, " x ", c.max_tokens, " tokens of ", first.documents.file,
              ", rank ", c.rank, ", learning rate ", number_text(c.learning_rate, 2), ", seed ",
              c.seed);
}

}  // namespace

reports::LineFigure healed_loss_figure(const Shown& shown) {
  reports::LineFigure figure{
      .id = "healed-loss",
      .title = "Loss against the fraction of blocks removed, healed and unhealed",
      .caption =
          text("Healed: a LoRA adapter trained over NF4 weights (", training_text(shown),
               "), then merged into the exact weights; the same ",
               shown.run.sweep.text.documents.size(), " documents of ", shown.run.sweep.text.file,
               " and ", shown.run.sweep.losses.positions_per_document,
               " positions each as unhealed, none of them trained on; bars: 95 % by "
               "document."),
      .x_label = "fraction of blocks removed, n / L",
      .y_label = "loss / ln V",
      .x_is_fraction = true,
      .references = {{.label = "random guess", .value = 1}},
      .y_low = 0};
  for (const std::string& strategy : shown.run.experiment.heal.strategies) {
    reports::Series unhealed{.label = strategy + ", unhealed", .dashed = true, .markers = false};
    for (size_t i = 0; i < shown.run.sweep.plans.size(); ++i)
      if (const auto& plan = shown.run.sweep.plans[i]; plan.strategy == strategy)
        unhealed.points.push_back(loss_point(fraction(shown, plan), shown.losses[i]));
    reports::Series healed{.label = strategy + ", healed"};
    for (const HealingGain& gain : shown.gains)
      if (gain.plan.strategy == strategy)
        healed.points.push_back(loss_point(fraction(shown, gain.plan), gain.healed));
    figure.series.push_back(std::move(unhealed));
    figure.series.push_back(std::move(healed));
  }
  figure.y_high = loss_ceiling(figure);
  return figure;
}

reports::LineFigure training_figure(const Shown& shown) {
  reports::LineFigure figure{
      .id = "training",
      .title = "Loss while healing",
      .caption = text("Mean loss of each step's sequences before the step, dropout included; ",
                      training_text(shown), "."),
      .x_label = "step",
      .y_label = "training loss, nats"};
  const auto& trained = shown.run.heal->trained;
  for (size_t i = 0; i < trained.size(); ++i) {
    const auto& plan = trained[i].plan;
    const bool again =
        std::any_of(trained.begin(), trained.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const auto& t) { return t.plan.removed == plan.removed; });
    if (again) continue;  // two strategies chose the same blocks, and one training was both's
    reports::Series series{.label = text(plan.strategy, ", n = ", plan.removed_count()),
                           .markers = false};
    for (size_t step = 0; step < trained[i].rows.size(); ++step)
      series.points.push_back({.x = static_cast<double>(step), .y = trained[i].rows[step].loss});
    figure.series.push_back(std::move(series));
  }
  return figure;
}

reports::Table healing_table(const Shown& shown) {
  reports::Table table{
      .id = "healing",
      .title = "What healing gains",
      .caption =
          text("Loss / ln V; the gain in nats is paired by document, with its 95 % interval; "
               "p: that it is not above 0, Holm over all rows. Repaired: of what pruning "
               "added to the whole model's loss. ",
               training_text(shown), "."),
      .columns = {"strategy", "n", "removed", "blocks", "unhealed", "healed", "gain, nats",
                  "interval", "Holm", "repaired"},
      .numeric = {false, true, true, false, true, true, true, true, true, true}};
  for (const HealingGain& g : shown.gains)
    table.rows.push_back({g.plan.strategy, text(g.plan.removed_count()),
                          per_cent(fraction(shown, g.plan)), plan_text(g.plan),
                          number_text(g.unhealed.normalised), number_text(g.healed.normalised),
                          number_text(g.gain_nats, 3), interval_text(g.interval), p_text(g.p_holm),
                          g.repaired ? per_cent(*g.repaired) : "no damage"});
  return table;
}

reports::Table healed_accuracy_table(const Shown& shown) {
  reports::Table table{
      .id = "healed-accuracy",
      .title = "What healing does to answers",
      .caption =
          "The same questions healed and unhealed; the gain with Tango's 95 % interval, p by "
          "McNemar's mid-p, Holm over the plans of a task and metric.",
      .columns = {"task", "metric", "strategy", "n", "unhealed", "healed", "interval", "gain",
                  "interval", "Holm"},
      .numeric = {false, false, false, true, true, true, true, true, true, true}};
  for (const HealedAccuracy& a : shown.healed_accuracies)
    table.rows.push_back({a.task, a.metric, a.plan.strategy, text(a.plan.removed_count()),
                          number_text(a.unhealed, 3), number_text(a.accuracy, 3),
                          interval_text(a.interval), number_text(a.gain.difference, 3),
                          interval_text(a.gain.interval), p_text(a.gain.p_holm)});
  return table;
}

reports::Table composition_table(const Shown& shown) {
  reports::Table table{
      .id = "composition",
      .title = "Pruning and 4-bit weights together",
      .caption = text("Bytes of all blocks, 1 being the whole model's in 16 bit. NF4 with double "
                      "quantisation is ",
                      number_text(kNf4Bits), " bits a weight; norms stay as they are. "),
      .columns = {"model", "n", "pruned", "in NF4", "product", "both", "bytes"},
      .numeric = {false, true, true, true, true, true, true}};
  bool all_measured = true;
  for (const Composition& c :
       compositions(*shown.run.heal, shown.run.cost ? &*shown.run.cost : nullptr)) {
    all_measured = all_measured && c.measured;
    table.rows.push_back({"this one, its blocks", text(c.plan.removed_count()),
                          number_text(c.pruned), number_text(c.quantised), number_text(c.product()),
                          number_text(c.both), bytes_text(c.bytes)});
  }
  const PublishedComposition llama = llama_2_70b();
  table.rows.push_back({"Llama-2-70B, whole model, by its configuration", "40", "", "", "",
                        number_text(1 / llama.factor()), giga(llama.half_bytes)});
  table.rows.push_back({"Llama-2-70B, nominal (paper)", "40", "", "", "",
                        number_text(llama.paper_half_bytes / llama.paper_whole_bytes),
                        giga(llama.paper_half_bytes)});
  table.caption +=
      text(all_measured ? "" : "Where the stage cost has no such n, pruned is 1 - n / L. ",
           "The paper's figure takes exactly 4 bits and embedding and head too; by its "
           "configuration the "
           "model is ",
           giga(llama.whole_bytes), " in 16 bit, and embedding and head stay so.");
  return table;
}

std::vector<Record> healing_records(const Shown& shown) {
  std::vector<Record> out;
  if (!shown.run.heal) return out;
  for (size_t i = 0; i < shown.gains.size(); ++i) {
    const HealingGain& g = shown.gains[i];
    const std::vector<Dimension> dimensions = {{"strategy", g.plan.strategy},
                                               {"n", g.plan.removed_count()},
                                               {"removed", g.plan.removed_text()}};
    const auto add = [&](const char* name, const char* unit, double value,
                         std::optional<Interval> interval, std::optional<bool> higher) {
      out.push_back({.name = name,
                     .dimensions = dimensions,
                     .value = value,
                     .unit = unit,
                     .interval = std::move(interval),
                     .higher_is_better = higher});
    };
    add("healed_loss_nats", "nats", g.healed.loss_nats, g.healed.nats, false);
    out.back().samples = shown.run.heal->healed[i].loss_nats;
    add("healed_loss_normalised", "1", g.healed.normalised, g.healed.interval, false);
    out.back().samples_file = "healed_documents.csv";
    add("healing_gain_nats", "nats", g.gain_nats, g.interval, true);
    out.back().samples_file = "healed_documents.csv";
    add("healing_gain_nats.p", "1", g.p, {}, {});
    add("healing_gain_nats.p_holm", "1", g.p_holm, {}, {});
    out.push_back({.name = "healing_repaired", .dimensions = dimensions, .unit = "1"});
    if (g.repaired)
      out.back().value = *g.repaired;
    else
      out.back().absent_reason = "the whole model is not in the sweep, or the plan loses no more";
    const TrainedPlan& trained = shown.run.heal->trained[i];
    for (const auto& [name, value] :
         {std::pair("healing_tokens", trained.tokens),
          std::pair("healing_block_bytes_nf4", static_cast<int64_t>(trained.frozen_bytes))})
      out.push_back({.name = name,
                     .dimensions = dimensions,
                     .value = value,
                     .unit = std::string(name) == "healing_tokens" ? "tokens" : "bytes"});
  }
  for (const HealedAccuracy& a : shown.healed_accuracies) {
    const std::vector<Dimension> dimensions = {{"task", a.task},
                                               {"metric", a.metric},
                                               {"strategy", a.plan.strategy},
                                               {"n", a.plan.removed_count()},
                                               {"removed", a.plan.removed_text()}};
    out.push_back({.name = "healed_accuracy",
                   .dimensions = dimensions,
                   .value = a.accuracy,
                   .unit = "1",
                   .interval = a.interval,
                   .higher_is_better = true});
    out.push_back({.name = "healing_gain_accuracy",
                   .dimensions = dimensions,
                   .value = a.gain.difference,
                   .unit = "1",
                   .interval = a.gain.interval,
                   .higher_is_better = true});
    for (const auto& [suffix, p] : {std::pair(".p", a.gain.p), std::pair(".p_holm", a.gain.p_holm)})
      out.push_back({.name = std::string("healing_gain_accuracy") + suffix,
                     .dimensions = dimensions,
                     .value = p,
                     .unit = "1"});
  }
  for (const auto& [name, bytes] :
       {std::pair("block_bytes_16_bit", shown.run.heal->whole.sixteen_bit),
        std::pair("block_bytes_nf4", shown.run.heal->whole.nf4)})
    out.push_back({.name = name, .value = static_cast<int64_t>(bytes), .unit = "bytes"});
  return out;
}

Pairs healing_pairs(const Run& run) {
  if (!run.heal || run.heal->trained.empty()) return {};
  const TrainedPlan& first = run.heal->trained.front();
  return {{"healing file", first.documents.file},
          {"healing sha256", first.documents.sha256},
          {"healing documents", text("the first ", first.training_documents, ", ", first.tokens,
                                     " tokens of each plan")}};
}

}  // namespace plumb::harness
