#include "harness/pipeline/stages.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "metrics/similarity/profile.h"
#include "pruning/strategy.h"

namespace plumb::harness {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

TextFacts facts_of(const models::TokenBatch& batch) {
  return {batch.file, batch.sha256, batch.token_count, batch.documents};
}

}  // namespace

ProfileResult profile_stage(Session& session, const Console& console) {
  const models::TokenBatch& batch = session.calibration();
  const models::Decoder& decoder = session.decoder();
  const auto start = Clock::now();
  Progress progress(console, "profile: document");
  auto profile = metrics::profile(
      decoder, batch, session.experiment().documents_per_step,
      [&](int64_t done, int64_t all) { progress.update(done, all); }, session.activation_room());
  return {std::move(profile), facts_of(batch), seconds_since(start)};
}

PlanResult plan_stage(const Experiment& experiment, int64_t block_count,
                      const ProfileResult* profile) {
  const auto start = Clock::now();
  PlanResult result;
  pruning::StrategyInputs inputs;
  inputs.block_count = block_count;
  inputs.seed = experiment.seed;
  if (profile != nullptr) {
    inputs.profile = &profile->profile;
    result.starts =
        metrics::best_starts(profile->profile.before_norm, experiment.draws, experiment.seed);
  }
  for (const std::string& strategy : experiment.strategies)
    for (const int64_t n : sweep_counts(experiment, block_count)) {
      result.plans.push_back(pruning::make_plan(strategy, n, inputs));
      result.plans.back().strategy = strategy;  // n = 0 too: a row per strategy
    }
  for (const int64_t n : deepest_counts(experiment, block_count))
    result.plans.push_back(pruning::make_plan("deepest", n, inputs));
  result.seconds = seconds_since(start);
  return result;
}

SweepResult sweep_stage(Session& session, const std::vector<pruning::PruningPlan>& plans,
                        const Console& console, const pruning::StepLog& log) {
  const models::TokenBatch& batch = session.validation();
  const models::Decoder& decoder = session.decoder();
  const Experiment& experiment = session.experiment();
  const auto start = Clock::now();
  Progress progress(console, "sweep: block evaluation");
  pruning::SweepOptions options;
  options.documents_per_step = experiment.documents_per_step;
  options.positions = experiment.positions;
  options.seed = experiment.seed;
  options.room = session.activation_room();
  options.log = log;
  options.progress = [&](int64_t done, int64_t all) { progress.update(done, all); };
  SweepResult result;
  result.losses = pruning::sweep(decoder, batch, plans, options);
  result.plans = plans;
  result.text = facts_of(batch);
  result.vocabulary_size = decoder.config().vocabulary_size;
  result.seconds = seconds_since(start);
  const double tokens = static_cast<double>(batch.size() * batch.token_count) *
                        static_cast<double>(asked_plans(plans));
  result.tokens_per_second = result.seconds > 0 ? tokens / result.seconds : 0;
  result.peak_resident_bytes = metrics::peak_resident_bytes();
  return result;
}

int64_t asked_plans(const std::vector<pruning::PruningPlan>& plans) {
  const auto whole = std::count_if(plans.begin(), plans.end(),
                                   [](const auto& plan) { return plan.removed.empty(); });
  return static_cast<int64_t>(plans.size()) - std::max<int64_t>(0, whole - 1);
}

namespace {

template <typename Value>
EqualityCheck compare_values(const std::string& name, const std::string& detail,
                             const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size())
    throw Error(ErrorKind::kInvariant, text(name, ": ", a.size(), " values against ", b.size()));
  EqualityCheck check{name, detail, static_cast<int64_t>(a.size()), 0, 0, ""};
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(Value)) == 0) continue;
    ++check.differing;
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    check.largest_difference = std::max(check.largest_difference, difference);
  }
  return check;
}

}  // namespace

EqualityCheck compare_bits(const std::string& name, const std::string& detail,
                           const std::vector<double>& a, const std::vector<double>& b) {
  return compare_values(name, detail, a, b);
}

EqualityCheck compare_bits(const std::string& name, const std::string& detail,
                           const std::vector<float>& a, const std::vector<float>& b) {
  return compare_values(name, detail, a, b);
}

}  // namespace plumb::harness
