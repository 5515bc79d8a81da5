#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "harness/gate/gate.h"

/// Both sides of a gate, made up. For tests alone.
namespace plumb::harness::testing {

/// A run of a model with facts and no numbers.
inline GateSnapshot bare_snapshot(const std::string& source = "run") {
  GateSnapshot out;
  out.source = source;
  out.model = {{"name", "tiny"}, {"sha256", std::string(64, 'a')}, {"architecture", "llama"},
               {"width", "576"}, {"vocabulary", "49152"},          {"blocks", "30"}};
  out.loss = {{"file", "c4_en_validation.jsonl"}, {"sha256", "t"}, {"dtype", "fp32"}};
  out.cost = {{"dtype", "fp32"}, {"threads", "2"}, {"prefill tokens", "256"}};
  out.system = {{"CPU", "a processor"}, {"cores", "2"}};
  return out;
}

inline void add_losses(GateSnapshot& to, std::vector<double> values,
                       const std::string& plan = "similarity:0") {
  DocumentSeries series{"loss_nats", plan, "", {}, std::move(values), {}};
  for (size_t i = 0; i < series.values.size(); ++i)
    series.documents.push_back(static_cast<int64_t>(2 * i + 1));
  to.documents.push_back(std::move(series));
}

inline void add_times(GateSnapshot& to, std::vector<std::vector<double>> runs,
                      const std::string& metric = "decode_ms_per_token") {
  to.repeated.push_back({metric, "simple:0", std::move(runs)});
}

/// Answers of one plan, right or wrong, to questions 0, 1, ... of a task.
inline void add_answers(GateSnapshot& to, const std::vector<uint8_t>& right,
                        const std::string& task = "own", const std::string& strategy = "simple",
                        int64_t n = 0) {
  if (!to.answers) to.answers = AnswerLog{to.source, {}};
  TaskLog& log = to.answers->tasks.emplace_back();
  log.task = task;
  LoggedPlan& plan = log.plans.emplace_back();
  plan.strategy = strategy;
  plan.n = n;
  plan.right = right;
  static std::vector<LoggedQuestion> known;  // hashing takes longer than the rest of a simulation
  for (size_t i = known.size(); i < right.size(); ++i) {
    const std::string number = std::to_string(i);
    known.push_back({sha256_hex("document " + number), sha256_hex("prompt " + number),
                     sha256_hex("target"), "", static_cast<int64_t>(i)});
  }
  log.questions.assign(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(right.size()));
  for (size_t i = 0; i < right.size(); ++i) plan.questions.push_back(static_cast<uint32_t>(i));
}

inline GateConfig tolerances(const std::vector<std::string>& words) {
  GateConfig config;
  config.tolerances.clear();
  for (const std::string& word : words) config.tolerances.push_back(parse_tolerance(word));
  return config;
}

inline GateResult judged(const GateSnapshot& baseline, const GateSnapshot& candidate,
                         const GateConfig& config = {}) {
  GateOptions options;
  options.today = "2026-06-15";
  options.draws = 2000;
  return judge_gate(baseline, candidate, config, options);
}

inline std::vector<double> normals(size_t n, double centre, double deviation, Rng& rng) {
  std::vector<double> out(n);
  for (double& value : out) value = centre + deviation * rng.normal();
  return out;
}

/// How runs of one program differ from process to process.
struct Machine {
  const char* name;
  double spread;         ///< deviation of the logarithm of a run's times
  double disturbed = 0;  ///< share of runs that something else makes slower, by 1.5 to 2
};

/// Times of so many runs about `ms`, whose repetitions scatter by another 3 %.
inline std::vector<std::vector<double>> timed_runs(const Machine& machine, int64_t runs,
                                                   int64_t repetitions, double ms, Rng& rng) {
  std::vector<std::vector<double>> out(static_cast<size_t>(runs));
  for (auto& run : out) {
    double own = ms * std::exp(machine.spread * rng.normal());
    if (rng.uniform() < machine.disturbed) own *= 1.5 + 0.5 * rng.uniform();
    for (int64_t i = 0; i < repetitions; ++i) run.push_back(own * std::exp(0.03 * rng.normal()));
  }
  return out;
}

}  // namespace plumb::harness::testing
