#include "harness/pipeline/estimate.h"

#include <algorithm>

#include "harness/pipeline/composition.h"
#include "harness/pipeline/results.h"
#include "metrics/cost/arithmetic.h"
#include "pruning/strategy.h"
#include "pruning/sweep/trie.h"

namespace plumb::harness {

namespace {

/// Google Benchmark's own run that finds out how many calls a repetition has, and the call before it.
constexpr double kUntimedRuns = 2;

/// FLOPs of a block over sequences of T tokens, each attending to those before it.
double sequence_flops(const models::ModelConfig& c, double sequences, int64_t T) {
  return sequences * static_cast<double>(T * metrics::block_flops_per_token(c, (T + 1) / 2));
}

void add_questions(const Experiment& e, const models::ModelConfig& c,
                   const pruning::DepthTrie& trie, Work& work) {
  if (e.questions.tasks.empty()) return;
  work.questions = question_work(e);
  const QuestionWork& q = work.questions;
  if (q.questions == 0) return;
  const auto context = static_cast<int64_t>(q.tokens / static_cast<double>(q.questions)) / 2 + 1;
  work.question_flops = static_cast<double>(work.block_evaluations) * q.tokens *
                        static_cast<double>(metrics::block_flops_per_token(c, context));
  work.answer_flops = static_cast<double>(trie.distinct.size()) * q.read_tokens *
                      static_cast<double>(metrics::head_flops_per_token(c));
}

/// The largest training's: frozen weights, embedding in fp32, results of products of every token, adapters with gradient and both
/// moments, and a chunk of logits (healing/loss_gradient.h) with its softmax and gradient.
uint64_t heal_bytes(const Experiment& e, const models::ModelConfig& c, int64_t kept) {
  const HealChoice& h = e.heal;
  const auto blocks = static_cast<double>(kept);
  const double tokens = static_cast<double>(h.batch * h.max_tokens);
  const double state = e.dtype == "bf16" ? 2 : 4;
  const int64_t heads = (c.head_count + 2 * c.kv_head_count) * c.head_width;
  const int64_t inner = (c.options.gated ? 2 : 1) * c.feed_forward_width;
  const double results = static_cast<double>(heads + inner + 3 * c.width);
  const double adapters =
      static_cast<double>(h.rank * (3 * c.width + 3 * c.feed_forward_width)) * blocks;
  constexpr double kLogits = 3.0 * 48 * (1 << 20);
  return static_cast<uint64_t>(blocks * static_cast<double>(metrics::block_parameters(c)) *
                                   kNf4Bits / 8 +
                               4.0 * static_cast<double>(c.vocabulary_size * c.width) +
                               4.0 * static_cast<double>(metrics::block_parameters(c)) +
                               blocks * tokens * results * state + 4 * 4 * adapters + kLogits);
}

void add_healing(const Experiment& e, const models::ModelConfig& c, Work& work) {
  const HealChoice& h = e.heal;
  const double tokens = static_cast<double>(h.steps * h.batch * h.accumulation * h.max_tokens);
  const auto head = static_cast<double>(metrics::head_flops_per_token(c));
  const auto documents = static_cast<double>(e.validation.limit);
  const int64_t predicted = e.positions == 0 ? e.validation.max_tokens - 1 : e.positions;
  for (const int64_t n : heal_counts(e, c.block_count)) {
    const auto plans = static_cast<double>(h.strategies.size());
    const auto kept = static_cast<double>(c.block_count - n);
    work.healed_plans += std::ssize(h.strategies);
    work.heal_tokens += plans * tokens;
    // Frozen weights have no gradient: a pass back costs what one forward does.
    work.heal_flops +=
        2 * plans *
        (kept * sequence_flops(c, tokens / static_cast<double>(h.max_tokens), h.max_tokens) +
         tokens * head);
    work.healed_flops += plans * (kept * sequence_flops(c, documents, e.validation.max_tokens) +
                                  documents * static_cast<double>(predicted) * head);
    const QuestionWork& q = work.questions;
    if (q.questions > 0) {
      const auto context =
          static_cast<int64_t>(q.tokens / static_cast<double>(q.questions)) / 2 + 1;
      work.healed_flops +=
          plans *
          (kept * q.tokens * static_cast<double>(metrics::block_flops_per_token(c, context)) +
           q.read_tokens * head);
    }
    work.heal_bytes = std::max(work.heal_bytes, heal_bytes(e, c, c.block_count - n));
  }
}

}  // namespace

std::vector<pruning::PruningPlan> likely_plans(const Experiment& experiment, int64_t block_count) {
  std::vector<pruning::PruningPlan> plans;
  pruning::StrategyInputs inputs;
  inputs.block_count = block_count;
  inputs.seed = experiment.seed;
  for (const std::string& strategy : experiment.strategies)
    for (const int64_t n : sweep_counts(experiment, block_count)) {
      if (strategy == "simple" || strategy == "deepest" || strategy == "random") {
        plans.push_back(pruning::make_plan(strategy, n, inputs));
        continue;
      }
      pruning::PruningPlan plan{block_count, {}, strategy, ""};
      const int64_t first = 7 * (block_count - n) / 10;
      for (int64_t b = first; b < first + n; ++b) plan.removed.push_back(b);
      plans.push_back(plan);
    }
  for (const int64_t n : deepest_counts(experiment, block_count))
    plans.push_back(pruning::make_plan("deepest", n, inputs));
  return plans;
}

Work work_of(const Experiment& e, const models::ModelConfig& c) {
  Work work;
  const auto plans = likely_plans(e, c.block_count);
  const auto trie = pruning::make_trie(plans);
  work.plans = asked_plans(plans);
  work.block_evaluations = trie.block_evaluations();
  const TextChoice& calibration = e.calibration_text();
  work.profile_flops =
      static_cast<double>(c.block_count) *
      sequence_flops(c, static_cast<double>(calibration.limit), calibration.max_tokens);
  const auto documents = static_cast<double>(e.validation.limit);
  work.sweep_flops = static_cast<double>(work.block_evaluations) *
                     sequence_flops(c, documents, e.validation.max_tokens);
  const int64_t predicted = e.positions == 0 ? e.validation.max_tokens - 1 : e.positions;
  work.loss_flops = static_cast<double>(trie.distinct.size()) * documents *
                    static_cast<double>(predicted * metrics::head_flops_per_token(c));
  add_questions(e, c, trie, work);
  add_healing(e, c, work);
  const double bytes = e.dtype == "bf16" ? 2 : 4;
  for (const int64_t n : cost_counts(e, c.block_count)) {
    const auto kept = static_cast<double>(c.block_count - n);
    const double runs = static_cast<double>(e.repetitions) + kUntimedRuns;
    // The blocks alone, and with the head.
    work.prefill_flops += 2 * runs * kept * sequence_flops(c, 1, e.prefill_tokens);
    work.decode_bytes += runs * static_cast<double>(e.decode_tokens) * kept * bytes *
                         static_cast<double>(metrics::block_parameters(c));
    ++work.configurations;
  }
  return work;
}

Times times_of(const Work& work, const MachineSpeed& speed, const MemoryPlan& memory,
               uint64_t file_bytes, double disk_bytes_per_second) {
  Times times;
  const double reading = static_cast<double>(file_bytes) / disk_bytes_per_second;
  times.profile = work.profile_flops / speed.block_flops_per_second;
  times.sweep = work.sweep_flops / speed.block_flops_per_second +
                work.loss_flops / speed.head_flops_per_second;
  times.questions = work.question_flops / speed.block_flops_per_second +
                    work.answer_flops / speed.head_flops_per_second;
  const double trained = work.heal_flops / speed.block_flops_per_second;
  times.heal = trained + work.healed_flops / speed.block_flops_per_second +
               2 * static_cast<double>(work.healed_plans) * reading;
  if (memory.streamed) {
    if (work.questions.questions > 0) times.questions = std::max(times.questions, reading);
    times.profile = std::max(times.profile, reading);
    times.sweep = std::max(times.sweep, reading);
    return times;
  }
  times.load = reading;
  times.cost = work.prefill_flops / speed.block_flops_per_second +
               work.decode_bytes / speed.decode_bytes_per_second +
               static_cast<double>(work.configurations) * reading;
  return times;
}

MemoryNeeds memory_needs(const Experiment& e, const models::ModelConfig& config,
                         const pruning::DepthTrie& trie, uint64_t baseline_bytes) {
  MemoryNeeds needs;
  needs.config = config;
  needs.dtype = models::parse_dtype(e.dtype);
  needs.documents_per_step = e.documents_per_step;
  needs.threads = e.threads;
  needs.baseline_bytes = baseline_bytes;
  needs.profile = {e.calibration_text().limit, e.calibration_text().max_tokens};
  needs.sweep = {e.validation.limit, e.validation.max_tokens};
  needs.trie = &trie;
  return needs;
}

}  // namespace plumb::harness
