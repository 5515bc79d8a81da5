#include "harness/pipeline/tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/statistics/summary.h"

namespace plumb::harness {

namespace {

std::string distances_csv(const std::vector<PairDistance>& pairs) {
  CsvTable table({"n", "l", "mean", "low", "high"});
  for (const PairDistance& pair : pairs) {
    table.cell(pair.n).cell(pair.l).cell(pair.mean);
    table.cell(pair.interval.low).cell(pair.interval.high);
    table.end_row();
  }
  return table.str();
}

std::string distances_documents_csv(const ProfileResult& profile) {
  CsvTable table({"n", "l", "document", "distance"});
  const auto& distances = profile.profile.before_norm;
  for (int64_t n = 1; n <= distances.block_count(); ++n)
    for (int64_t l = 0; l + n <= distances.block_count(); ++l)
      for (size_t d = 0; d < profile.text.documents.size(); ++d) {
        table.cell(n).cell(l).cell(profile.text.documents[d]);
        table.cell(distances.at(n, l, static_cast<int64_t>(d)));
        table.end_row();
      }
  return table.str();
}

std::string plans_csv(const std::vector<metrics::BestStart>& starts) {
  CsvTable table({"n", "first", "stability", "removed"});
  for (const auto& start : starts) {
    const int64_t last = start.first + start.n - 1;
    table.cell(start.n).cell(start.first).cell(start.stability);
    table.cell(start.n == 1 ? text(start.first) : text(start.first, "-", last));
    table.end_row();
  }
  return table.str();
}

void plan_cells(CsvTable& table, const pruning::PruningPlan& plan) {
  table.cell(plan.strategy).cell(plan.removed_count());
}

void measured_cells(CsvTable& table, const std::optional<MeasuredMean>& measured) {
  if (measured)
    table.cell(measured->mean).cell(measured->interval.low).cell(measured->interval.high);
  else
    table.empty().empty().empty();
}

void document_cell(CsvTable& table, const std::optional<pruning::PerDocument>& measure, size_t plan,
                   size_t document) {
  if (measure)
    table.cell(measure->mean[plan][document]);
  else
    table.empty();
}

std::string loss_csv(const SweepResult& sweep, const std::vector<PlanLoss>& losses) {
  CsvTable table({"strategy", "n", "first", "loss_nats", "normalised", "low", "high", "perplexity",
                  "perplexity_low", "perplexity_high", "kl_nats", "kl_low", "kl_high", "same_top1",
                  "same_top1_low", "same_top1_high", "removed"});
  for (size_t i = 0; i < sweep.plans.size(); ++i) {
    const auto& plan = sweep.plans[i];
    plan_cells(table, plan);
    if (const auto first = plan.first()) {
      table.cell(*first);
    } else {
      table.empty();
    }
    table.cell(losses[i].loss_nats).cell(losses[i].normalised);
    table.cell(losses[i].interval.low).cell(losses[i].interval.high);
    measured_cells(table, losses[i].perplexity);
    measured_cells(table, losses[i].divergence_nats);
    measured_cells(table, losses[i].same_top);
    table.cell(plan.removed_text());
    table.end_row();
  }
  return table.str();
}

std::string loss_documents_csv(const SweepResult& sweep) {
  CsvTable table({"strategy", "n", "document", "loss_nats", "kl_nats", "same_top1", "removed"});
  for (size_t i = 0; i < sweep.plans.size(); ++i)
    for (size_t d = 0; d < sweep.text.documents.size(); ++d) {
      plan_cells(table, sweep.plans[i]);
      table.cell(sweep.text.documents[d]).cell(sweep.losses.loss_nats[i][d]);
      document_cell(table, sweep.losses.divergence_nats, i, d);
      document_cell(table, sweep.losses.same_top, i, d);
      table.cell(sweep.plans[i].removed_text());
      table.end_row();
    }
  return table.str();
}

int64_t number_cell(const std::string& cell, const std::string& where) {
  int64_t value = 0;
  const auto [end, status] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (cell.empty() || status != std::errc() || end != cell.data() + cell.size())
    throw Error(ErrorKind::kInput, text(where, ": '", cell, "' is no whole number"));
  return value;
}

/// Mean over documents; its interval ends where the measure does, which position errors alone could leave.
std::optional<MeasuredMean> measured_mean(const std::optional<pruning::PerDocument>& measure,
                                          size_t plan, double highest,
                                          const BootstrapOptions& options) {
  if (!measure) return std::nullopt;
  const auto& samples = measure->mean.at(plan);
  MeasuredMean out{mean(samples),
                   measure->variance.empty()
                       ? bootstrap_mean(samples, options)
                       : bootstrap_mean(samples, measure->variance.at(plan), options)};
  out.interval.low = std::max(out.interval.low, std::min(0.0, out.mean));
  out.interval.high = std::min(out.interval.high, highest);
  return out;
}

std::optional<MeasuredMean> perplexity_of(const PlanLoss& loss) {
  MeasuredMean out{std::exp(loss.loss_nats), loss.nats};
  out.interval.low = std::exp(loss.nats.low);
  out.interval.high = std::exp(loss.nats.high);
  if (!std::isfinite(out.mean) || !std::isfinite(out.interval.high)) return std::nullopt;
  return out;
}

}  // namespace

PlanLoss loss_of(const SweepResult& sweep, size_t plan, const BootstrapOptions& options) {
  const auto& samples = sweep.losses.loss_nats.at(plan);
  const double most = std::log(static_cast<double>(sweep.vocabulary_size));
  PlanLoss out;
  out.loss_nats = mean(samples);
  out.normalised = out.loss_nats / most;
  const auto& variances = sweep.losses.position_variance;
  out.nats = variances.empty() ? bootstrap_mean(samples, options)
                               : bootstrap_mean(samples, variances.at(plan), options);
  out.interval = out.nats;
  out.interval.low /= most;
  out.interval.high /= most;
  out.perplexity = perplexity_of(out);
  out.divergence_nats = measured_mean(sweep.losses.divergence_nats, plan,
                                      std::numeric_limits<double>::infinity(), options);
  out.same_top = measured_mean(sweep.losses.same_top, plan, 1, options);
  return out;
}

std::vector<PlanLoss> losses_of(const SweepResult& sweep, const BootstrapOptions& options) {
  std::vector<PlanLoss> out;
  for (size_t plan = 0; plan < sweep.plans.size(); ++plan)
    out.push_back(loss_of(sweep, plan, options));
  return out;
}

std::vector<PairDistance> pair_distances(const metrics::Profile& profile,
                                         const BootstrapOptions& options) {
  const auto& distances = profile.before_norm;
  std::vector<PairDistance> out;
  for (int64_t n = 1; n <= distances.block_count(); ++n)
    for (int64_t l = 0; l + n <= distances.block_count(); ++l)
      out.push_back({n, l, distances.mean(n, l), bootstrap_mean(distances.values(n, l), options)});
  return out;
}

std::vector<PairDistance> post_norm_distances(const metrics::Profile& profile,
                                              const BootstrapOptions& options) {
  const int64_t blocks = profile.before_norm.block_count();
  std::vector<PairDistance> out;
  for (int64_t n = 1; n <= blocks; ++n) {
    const auto& samples = profile.after_norm.at(static_cast<size_t>(n - 1));
    out.push_back({n, blocks - n, mean(samples), bootstrap_mean(samples, options)});
  }
  return out;
}

std::vector<NamedFile> profile_files(const ProfileResult& profile, const PlanResult& plans,
                                     const BootstrapOptions& options) {
  return {{"distances.csv", distances_csv(pair_distances(profile.profile, options))},
          {"distances_post_norm.csv", distances_csv(post_norm_distances(profile.profile, options))},
          {"distances_documents.csv", distances_documents_csv(profile)},
          {"plans.csv", plans_csv(plans.starts)}};
}

std::vector<NamedFile> sweep_files(const SweepResult& sweep, const std::vector<PlanLoss>& losses) {
  return {{"loss.csv", loss_csv(sweep, losses)}, {"loss_documents.csv", loss_documents_csv(sweep)}};
}

NamedFile cost_file(const CostResult& cost) {
  CsvTable table({"n", "blocks", "block_bytes", "weight_bytes", "baseline_resident_bytes",
                  "peak_resident_bytes", "prefill_ms", "prefill_blocks_ms", "decode_ms_per_token",
                  "repetitions", "removed"});
  for (const CostPoint& point : cost.points) {
    const auto bytes = [&](uint64_t value) { table.cell(static_cast<int64_t>(value)); };
    table.cell(point.n).cell(point.cost.blocks);
    bytes(point.cost.block_bytes);
    bytes(point.cost.weight_bytes);
    bytes(point.cost.baseline_resident_bytes);
    bytes(point.cost.peak_resident_bytes);
    table.cell(median(point.cost.prefill_ms)).cell(median(point.cost.prefill_blocks_ms));
    table.cell(median(point.cost.decode_ms_per_token));
    table.cell(static_cast<int64_t>(point.cost.prefill_ms.size())).cell(point.removed);
    table.end_row();
  }
  return {"cost.csv", table.str()};
}

std::vector<pruning::PruningPlan> read_plans_csv(const std::string& file, int64_t block_count) {
  const auto rows = parse_csv(read_file(file));
  const auto is_header = [](const std::vector<std::string>& row) {
    return row.size() >= 2 && row[0] == "n" && row[1] == "first";
  };
  if (rows.empty() || !is_header(rows.front()))
    throw Error(ErrorKind::kInput,
                text("'", file,
                     "' does not begin with the columns n,first, needed a plans.csv as "
                     "`plumb profile` writes it"));
  std::vector<pruning::PruningPlan> plans;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string where = text("'", file, "' line ", i + 1);
    const int64_t n = number_cell(rows[i].at(0), where);
    const int64_t first = number_cell(rows[i].at(1), where);
    if (n < 1 || n >= block_count || first < 0 || first > block_count - n)
      throw Error(ErrorKind::kInput, text(where, ": removing ", n, " blocks from ", first,
                                          " does not fit a model of ", block_count, " blocks"));
    pruning::PruningPlan plan{block_count, {}, "similarity", "from " + file};
    for (int64_t block = first; block < first + n; ++block) plan.removed.push_back(block);
    plans.push_back(plan);
  }
  return plans;
}

}  // namespace plumb::harness
