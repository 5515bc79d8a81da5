#include "harness/pipeline/synthetic_run.h"

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "harness/pipeline/run.h"
#include "harness/pipeline/stages.h"
#include "harness/presentation/presentation.h"
#include "metrics/similarity/profile.h"
#include "models/device_tolerance.h"
#include "pruning/strategy.h"

namespace plumb::harness {

namespace {

constexpr int64_t kDocuments = 16;
constexpr int64_t kTokens = 12;

models::TokenBatch random_batch(int64_t vocabulary) {
  models::TokenBatch batch;
  batch.file = "synthetic";
  batch.sha256 = "synthetic";
  batch.token_count = kTokens;
  Rng rng(7);
  for (int64_t d = 0; d < kDocuments; ++d) batch.documents.push_back(d);
  for (int64_t i = 0; i < kDocuments * kTokens; ++i)
    batch.tokens.push_back(static_cast<int64_t>(rng.below(static_cast<uint64_t>(vocabulary))));
  return batch;
}

pruning::SweepOptions synthetic_options() {
  pruning::SweepOptions options;
  options.documents_per_step = 4;
  return options;
}

/// A run over a synthetic decoder, as `execute` fills one over a model.
Run synthetic_run(const models::Decoder& decoder, const models::TokenBatch& batch) {
  Run run;
  run.settings.set("sweep.strategies", "similarity,simple,random,block-influence", "self-test");
  run.settings.set("statistics.draws", "500", "self-test");
  run.experiment = make_experiment(run.settings);
  run.environment = environment();
  run.libraries = library_facts();
  run.model.name = "synthetic";
  run.model.block_count = decoder.block_count();
  run.model.vocabulary_size = decoder.config().vocabulary_size;
  const TextFacts facts{batch.file, batch.sha256, batch.token_count, batch.documents};
  run.profile = {metrics::profile(decoder, batch, 4), facts, 0};
  run.plans = plan_stage(run.experiment, decoder.block_count(), &run.profile);
  run.sweep.plans = run.plans.plans;
  run.sweep.losses = pruning::sweep(decoder, batch, run.sweep.plans, synthetic_options());
  run.sweep.text = facts;
  run.sweep.vocabulary_size = run.model.vocabulary_size;
  run.started = run.finished = utc_now();
  return run;
}

EqualityCheck walk_against_alone(const models::Decoder& decoder, const models::TokenBatch& batch,
                                 const SweepResult& sweep) {
  std::vector<double> together, alone;
  for (size_t i = 0; i < sweep.plans.size(); ++i) {
    const auto one =
        pruning::sweep(decoder, batch, std::span(&sweep.plans[i], 1), synthetic_options());
    alone.insert(alone.end(), one.loss_nats[0].begin(), one.loss_nats[0].end());
    const auto& row = sweep.losses.loss_nats[i];
    together.insert(together.end(), row.begin(), row.end());
  }
  return compare_bits("one walk against plans alone",
                      text("losses of ", sweep.plans.size(), " plans of four strategies"), together,
                      alone);
}

EqualityCheck report_stands(const Run& run) {
  EqualityCheck check{"report", "results.json against its schema", 1, 0, 0, ""};
  try {
    const auto report = build_report(run, judge(run));
    reports::validate_results(reports::to_results_json(report));
    if (reports::to_html(report).find("</html>") == std::string::npos) check.differing = 1;
  } catch (const Error& error) {
    check.differing = 1;
    check.detail += text(": ", error.what());
  }
  return check;
}

fixtures::TinyDecoderOptions eight_blocks(models::Dtype dtype) {
  fixtures::TinyDecoderOptions options;
  options.block_count = 8;
  options.dtype = dtype;
  return options;
}

std::vector<double> losses_of(const models::Decoder& decoder, const models::TokenBatch& batch,
                              const std::vector<pruning::PruningPlan>& plans) {
  std::vector<double> out;
  for (const auto& row : pruning::sweep(decoder, batch, plans, synthetic_options()).loss_nats)
    out.insert(out.end(), row.begin(), row.end());
  return out;
}

/// Losses that are not the CPU's within the tolerance count as differing.
EqualityCheck within_tolerance(const models::Decoder& decoder, const std::vector<double>& cpu,
                               const std::vector<double>& device) {
  EqualityCheck check = compare_bits(
      "device against CPU",
      text("losses in ", models::dtype_name(decoder.dtype()), " within the tolerance of devices"),
      cpu, device);
  check.differing = 0;
  for (size_t i = 0; i < cpu.size(); ++i)
    check.differing +=
        !(std::abs(cpu[i] - device[i]) <=
          models::device_loss_tolerance(decoder.dtype(), decoder.block_count(), cpu[i]));
  return check;
}

}  // namespace

std::vector<EqualityCheck> self_test() {
  auto checks = planted_identity_checks();
  const auto decoder = fixtures::tiny_decoder(eight_blocks(models::Dtype::kFp32));
  const auto batch = random_batch(decoder.config().vocabulary_size);
  const Run run = synthetic_run(decoder, batch);
  checks.push_back(walk_against_alone(decoder, batch, run.sweep));
  checks.push_back(report_stands(run));
  return checks;
}

std::vector<EqualityCheck> device_self_test(const models::ComputeDevice& device) {
  constexpr uint64_t kAll = uint64_t{1} << 40;
  std::vector<EqualityCheck> checks;
  std::vector<pruning::PruningPlan> plans;
  pruning::StrategyInputs inputs;
  inputs.block_count = 8;
  for (const int64_t n : {0, 2, 5})
    for (const char* strategy : {"simple", "random"})
      plans.push_back(pruning::make_plan(strategy, n, inputs));
  for (const models::Dtype dtype : {models::Dtype::kFp32, models::Dtype::kBf16}) {
    const auto cpu = fixtures::tiny_decoder(eight_blocks(dtype));
    const auto batch = random_batch(cpu.config().vocabulary_size);
    const auto expected = losses_of(cpu, batch, plans);
    const auto resident = cpu.on(device.device, kAll);
    const auto together = losses_of(resident, batch, plans);
    checks.push_back(within_tolerance(cpu, expected, together));
    std::vector<double> alone;
    for (const auto& plan : plans) {
      const auto one = losses_of(resident, batch, {plan});
      alone.insert(alone.end(), one.begin(), one.end());
    }
    checks.push_back(compare_bits("one walk against plans alone on the device",
                                  text("losses of ", plans.size(), " plans"), together, alone));
    const auto streamed = cpu.on(device.device, cpu.block_bytes() / 2);
    checks.push_back(compare_bits("streamed against resident on the device",
                                  text("losses of ", plans.size(), " plans, half of the blocks"),
                                  together, losses_of(streamed, batch, plans)));
  }
  return checks;
}

}  // namespace plumb::harness
