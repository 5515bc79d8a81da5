// What `plumb measure` writes.

#include "base/csv.h"
#include "base/error.h"
#include "base/statistics/summary.h"
#include "base/statistics/tail.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/measured.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kPercentiles[] = {0.90, 0.95, 0.99};

std::vector<Dimension> dimensions_of(const Measured& m) {
  return {{"n", m.n()},
          {"removed", m.removed},
          {"context", m.configuration.context},
          {"batch", m.configuration.batch}};
}

double tokens_per_second(const Measured& m, double ms, int64_t tokens) {
  return 1e3 * static_cast<double>(m.configuration.batch * tokens) / ms;
}

std::string measure_csv(const MeasureResult& r) {
  CsvTable table({"n",
                  "context",
                  "batch",
                  "first_token_ms",
                  "blocks_ms",
                  "between_tokens_ms",
                  "between_tokens_p90_ms",
                  "between_tokens_p95_ms",
                  "between_tokens_p99_ms",
                  "prefill_tokens_per_second",
                  "decode_tokens_per_second",
                  "first_token_samples",
                  "between_tokens_samples",
                  "weight_bytes",
                  "predicted_weight_bytes",
                  "cache_bytes",
                  "activation_bytes",
                  "baseline_bytes",
                  "peak_bytes",
                  "predicted_peak_bytes",
                  "joules",
                  "device_allocated_bytes",
                  "device_reserved_bytes",
                  "device_process_bytes",
                  "device_predicted_bytes",
                  "device_joules",
                  "removed"});
  for (const Measured& m : r.measured) {
    const auto first = m.times("first_token"), between = m.times("between_tokens");
    table.cell(m.n()).cell(m.configuration.context).cell(m.configuration.batch);
    table.cell(median(first)).cell(median(m.times("blocks"))).cell(median(between));
    for (const double p : kPercentiles) {
      const TailPercentile tail = tail_percentile(between, p);
      if (tail.value)
        table.cell(*tail.value);
      else
        table.cell(tail.reason);
    }
    table.cell(tokens_per_second(m, median(first), m.configuration.context));
    table.cell(tokens_per_second(m, median(between), 1));
    table.cell(static_cast<int64_t>(first.size())).cell(static_cast<int64_t>(between.size()));
    for (const uint64_t bytes : {m.weight_bytes, m.predicted_weight_bytes, m.cache_bytes,
                                 m.activation_bytes, m.baseline_bytes.front(), m.peak()})
      table.cell(static_cast<int64_t>(bytes));
    const MeasuredOnDevice device = m.device.value_or(MeasuredOnDevice{});
    const auto bytes_or_empty = [&](const std::optional<uint64_t>& bytes) {
      bytes ? table.cell(static_cast<int64_t>(*bytes)) : table.empty();
    };
    const auto joules_or_empty = [&](const std::vector<double>& joules) {
      joules.empty() ? table.empty() : table.cell(median(joules));
    };
    bytes_or_empty(largest(m.predicted_peak_bytes));
    joules_or_empty(m.joules);
    for (const auto* bytes :
         {&device.allocated_bytes, &device.reserved_bytes, &device.process_bytes})
      bytes_or_empty(largest(*bytes));
    bytes_or_empty(m.device ? std::optional(device.predicted_bytes) : std::nullopt);
    joules_or_empty(device.joules);
    table.cell(m.removed).end_row();
  }
  return table.str();
}

std::string samples_csv(const MeasureResult& r) {
  CsvTable table(
      {"n", "context", "batch", "what", "round", "arm", "repetition", "token", "ms", "removed"});
  for (const Measured& m : r.measured)
    for (const Sample& s : m.samples) {
      table.cell(m.n()).cell(m.configuration.context).cell(m.configuration.batch);
      table.cell(s.what).cell(s.round).cell(s.second_arm ? "B" : "A").cell(s.repetition);
      table.cell(s.token).cell(s.ms).cell(m.removed).end_row();
    }
  return table.str();
}

/// All children's benchmarks in one report, as Google Benchmark's own compare.py reads it.
std::string benchmark_json(const MeasureResult& r) {
  Json out = {{"context", r.benchmarks.empty() ? Json::object()
                                               : r.benchmarks.front().at("report").at("context")},
              {"benchmarks", Json::array()}};
  for (const Json& child : r.benchmarks)
    for (Json run : child.at("report").at("benchmarks")) {
      for (const char* key : {"name", "run_name"})
        if (run.contains(key))
          run[key] = child.at("prefix").get<std::string>() + run.at(key).get<std::string>();
      out["benchmarks"].push_back(std::move(run));
    }
  return out.dump(2) + "\n";
}

Json tail_json(const std::vector<double>& samples, double p) {
  const TailPercentile tail = tail_percentile(samples, p);
  if (!tail.value) return {{"value", nullptr}, {"reason", tail.reason}};
  return {{"value", *tail.value}, {"low", tail.low}, {"high", tail.high}};
}

Json times_json(const std::vector<double>& samples) {
  Json out = {{"samples", samples.size()}, {"median", median(samples)}};
  for (const double p : kPercentiles)
    out[text("p", static_cast<int>(100 * p + 0.5))] = tail_json(samples, p);
  return out;
}

/// Each child's values, or none with the reason.
template <typename T>
Json each_json(const std::vector<T>& values, const std::string& reason) {
  if (values.empty()) return {{"value", nullptr}, {"reason", reason}};
  return values;
}

void add_device(Json& out, const MeasuredOnDevice& d) {
  out["memory"]["device"] = {{"name", d.name},
                             {"product", d.product},
                             {"driver", d.driver},
                             {"total_bytes", d.total_bytes},
                             {"allocated_bytes", each_json(d.allocated_bytes, d.no_allocator)},
                             {"reserved_bytes", each_json(d.reserved_bytes, d.no_allocator)},
                             {"process_bytes", each_json(d.process_bytes, d.no_process)},
                             {"predicted_bytes", d.predicted_bytes}};
  out["energy"]["device"] = {{"joules", each_json(d.joules, d.no_joules)},
                             {"what", "the whole device, by its own counter, in the timed part"}};
}

Json configuration_json(const Measured& m) {
  Json out = {{"n", m.n()},
              {"removed", m.removed},
              {"context", m.configuration.context},
              {"batch", m.configuration.batch},
              {"tokens", m.tokens}};
  for (const char* what : {"first_token", "again", "blocks", "between_tokens"})
    out[text(what, "_ms")] = times_json(m.times(what));
  out["prefill_tokens_per_second"] =
      tokens_per_second(m, median(m.times("first_token")), m.configuration.context);
  out["decode_tokens_per_second"] = tokens_per_second(m, median(m.times("between_tokens")), 1);
  out["load_ms"] = m.load_ms;
  out["memory"] = {{"weight_bytes", m.weight_bytes},
                   {"predicted_weight_bytes", m.predicted_weight_bytes},
                   {"block_bytes", m.block_bytes},
                   {"predicted_cache_bytes", m.cache_bytes},
                   {"predicted_activation_bytes", m.activation_bytes},
                   {"baseline_bytes", m.baseline_bytes},
                   {"loaded_bytes", m.loaded_bytes},
                   {"peak_bytes", m.peak_bytes},
                   {"predicted_peak_bytes", m.predicted_peak_bytes}};
  if (m.joules.empty())
    out["energy"] = {{"joules", nullptr}, {"reason", m.no_energy}};
  else
    out["energy"] = {
        {"joules", m.joules},
        {"what", "packages, by their own estimate, of the timed part; not at the wall"}};
  if (m.device) add_device(out, *m.device);
  return out;
}

}  // namespace

std::vector<NamedFile> measured_files(const MeasureResult& r) {
  return {{"measure.csv", measure_csv(r)},
          {"samples.csv", samples_csv(r)},
          {"benchmark.json", benchmark_json(r)}};
}

Json measured_json(const MeasureResult& r, const Verdict& valid) {
  const bool holds = valid.kind == VerdictKind::kPass;
  Json out = {{"verdict",
               {{"result", holds ? "VALID" : "INVALID"},
                {"reason", valid.reason},
                {"next_step", valid.next_step}}},
              {"system", pairs_json(r.system.required)},
              {"machine", pairs_json(r.system.further)},
              {"timing_fingerprint", timing_fingerprint(r.system)},
              {"rounds", r.rounds},
              {"tolerance", r.tolerance}};
  const auto floor = noise_floor(r);
  out["noise_floor"] = floor ? Json(*floor) : Json();
  out["audits"] = Json::array();
  for (const Audit& audit : audits(r))
    out["audits"].push_back(
        {{"audit", audit.name}, {"holds", audit.holds}, {"detail", audit.detail}});
  out["configurations"] = Json::array();
  for (const Measured& m : r.measured) out["configurations"].push_back(configuration_json(m));
  out["run"] = {{"seconds", r.seconds}};
  return out;
}

std::vector<Record> measured_records(const MeasureResult& r) {
  std::vector<Record> out;
  const std::string fingerprint = timing_fingerprint(r.system);
  for (const Measured& m : r.measured) {
    const auto dimensions = dimensions_of(m);
    const auto time = [&](const char* name, const std::vector<double>& samples, bool keep) {
      Record record{.name = name, .dimensions = dimensions, .value = median(samples), .unit = "ms"};
      if (keep)
        record.samples = samples;
      else
        record.samples_file = "samples.csv";
      record.higher_is_better = false;
      record.provenance = {{"timing_fingerprint", fingerprint}};
      out.push_back(std::move(record));
    };
    time("first_token_ms", m.times("first_token"), true);
    time("prefill_blocks_ms", m.times("blocks"), true);
    const auto between = m.times("between_tokens");
    time("between_tokens_ms", between, false);
    for (const double p : kPercentiles) {
      Record record{.name = text("between_tokens_p", static_cast<int>(100 * p + 0.5), "_ms"),
                    .dimensions = dimensions,
                    .unit = "ms"};
      const TailPercentile tail = tail_percentile(between, p);
      if (tail.value) {
        record.value = *tail.value;
        record.interval = Interval{tail.low, tail.high, 0.90, "order statistics"};
      } else {
        record.absent_reason = tail.reason;
      }
      record.higher_is_better = false;
      record.provenance = {{"timing_fingerprint", fingerprint}};
      out.push_back(std::move(record));
    }
    const auto bytes = [&](const char* name, uint64_t value) {
      out.push_back({.name = name,
                     .dimensions = dimensions,
                     .value = static_cast<int64_t>(value),
                     .unit = "bytes",
                     .higher_is_better = false});
    };
    bytes("weight_bytes", m.weight_bytes);
    bytes("block_bytes", m.block_bytes);
    bytes("cache_bytes", m.cache_bytes);
    bytes("peak_resident_bytes", m.peak());
    if (!m.device) bytes("predicted_peak_bytes", m.predicted_peak_bytes.front());
    const auto joules = [&](const char* name, const std::vector<double>& samples,
                            const std::string& reason) {
      Record record{.name = name, .dimensions = dimensions, .unit = "J"};
      if (samples.empty())
        record.absent_reason = reason.empty() ? "nothing was counted" : reason;
      else
        record.value = median(samples), record.samples = samples;
      record.higher_is_better = false;
      out.push_back(std::move(record));
    };
    joules("energy_joules", m.joules, m.no_energy);
    if (!m.device) continue;
    const auto there = [&](const char* name, const std::vector<uint64_t>& each,
                           const std::string& reason) {
      Record record{.name = name, .dimensions = dimensions, .unit = "bytes"};
      if (const auto most = largest(each))
        record.value = static_cast<int64_t>(*most);
      else
        record.absent_reason = reason;
      record.samples.assign(each.begin(), each.end());
      record.higher_is_better = false;
      out.push_back(std::move(record));
    };
    const MeasuredOnDevice& d = *m.device;
    there("device_allocated_bytes", d.allocated_bytes, d.no_allocator);
    there("device_reserved_bytes", d.reserved_bytes, d.no_allocator);
    there("device_process_bytes", d.process_bytes, d.no_process);
    bytes("device_predicted_bytes", d.predicted_bytes);
    joules("device_joules", d.joules, d.no_joules);
  }
  return out;
}

}  // namespace plumb::harness
