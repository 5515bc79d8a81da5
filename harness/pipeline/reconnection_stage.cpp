// The invariants that are equalities: nothing is averaged, nothing has a tolerance.

#include <ATen/Functions.h>

#include <chrono>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "harness/cli/signals.h"
#include "harness/pipeline/stages.h"
#include "metrics/similarity/profile.h"
#include "pruning/apply.h"
#include "pruning/strategy.h"

namespace plumb::harness {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kSampleDocuments = 2;
constexpr int64_t kSampleTokens = 64;

/// The first documents of `batch`, cut: what the comparisons of this stage run on.
models::TokenBatch sample_of(const models::TokenBatch& batch) {
  models::TokenBatch out;
  out.file = batch.file;
  out.sha256 = batch.sha256;
  out.token_count = std::min(batch.token_count, kSampleTokens);
  const int64_t documents = std::min(batch.size(), kSampleDocuments);
  for (int64_t d = 0; d < documents; ++d) {
    out.documents.push_back(batch.documents[static_cast<size_t>(d)]);
    const auto first = batch.tokens.begin() + d * batch.token_count;
    out.tokens.insert(out.tokens.end(), first, first + out.token_count);
  }
  return out;
}

/// Calls `take` with the logits of `batch`, some positions at a time: [positions x V], in order.
template <typename Take>
void for_logits(const models::Decoder& decoder, const models::TokenBatch& batch, Take take) {
  constexpr int64_t kPositions = 16;
  const at::Tensor tokens =
      at::tensor(batch.tokens, at::kLong).view({batch.size(), batch.token_count});
  std::vector<int64_t> order(static_cast<size_t>(decoder.block_count()));
  std::iota(order.begin(), order.end(), int64_t{0});
  decoder.expect(order);
  at::Tensor x = decoder.embed(tokens);
  for (const int64_t i : order) decoder.run_block_in_place(i, x);
  const at::Tensor rows = x.view({-1, x.size(-1)});
  for (int64_t first = 0; first < rows.size(0); first += kPositions) {
    const int64_t count = std::min(kPositions, rows.size(0) - first);
    const at::Tensor logits = decoder.logits(rows.narrow(0, first, count)).to(at::kCPU);
    take(std::vector<float>(logits.const_data_ptr<float>(),
                            logits.const_data_ptr<float>() + logits.numel()));
  }
}

std::vector<float> logits_of(const models::Decoder& decoder, const models::TokenBatch& batch) {
  std::vector<float> all;
  all.reserve(batch.tokens.size() * static_cast<size_t>(decoder.config().vocabulary_size));
  for_logits(decoder, batch, [&](const std::vector<float>& logits) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  return all;
}

pruning::PruningPlan simple_plan(int64_t block_count, int64_t n) {
  pruning::StrategyInputs inputs;
  inputs.block_count = block_count;
  return pruning::make_plan("simple", n, inputs);
}

/// Pruned in memory against the checkpoint that `prune` writes, read again.
EqualityCheck written_and_read(Session& session, const models::TokenBatch& batch,
                               const std::filesystem::path& scratch) {
  const int64_t blocks = session.decoder().block_count();
  const auto plan = simple_plan(blocks, std::max<int64_t>(1, blocks / 2));
  const std::string detail = text("logits of ", batch.size(), " documents x ", batch.token_count,
                                  " tokens without blocks ", plan.removed_text());
  const auto folder = scratch / "reconnection";
  std::filesystem::remove_all(folder);
  struct Cleaner {
    std::filesystem::path folder;
    ~Cleaner() {
      std::error_code ignored;
      std::filesystem::remove_all(folder, ignored);
    }
  } cleaner{folder};
  const auto in_memory = logits_of(pruning::apply(session.decoder(), plan), batch);
  try {
    pruning::write_pruned(session.checkpoint(), session.experiment().model, plan, folder);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kResource) throw;
    return {"written and re-read", detail, 0, 0, 0, error.what()};
  }
  throw_if_interrupted();
  const auto checkpoint = models::Checkpoint::open(folder);
  const auto reread = session.decoder_of(checkpoint);
  EqualityCheck check{"written and re-read", detail, 0, 0, 0, ""};
  for_logits(reread, batch, [&](const std::vector<float>& logits) {
    const auto from = in_memory.begin() + check.compared;
    const auto part = compare_bits(check.name, detail, {from, from + std::ssize(logits)}, logits);
    check.compared += part.compared;
    check.differing += part.differing;
    check.largest_difference = std::max(check.largest_difference, part.largest_difference);
  });
  return check;
}

/// Losses of some plans in one walk against each alone.
EqualityCheck trie_against_alone(Session& session, const models::TokenBatch& batch) {
  const models::Decoder& decoder = session.decoder();
  const int64_t blocks = decoder.block_count();
  std::vector<pruning::PruningPlan> plans;
  pruning::StrategyInputs inputs;
  inputs.block_count = blocks;
  inputs.seed = session.experiment().seed;
  for (const int64_t n : {int64_t{0}, int64_t{1}, blocks / 4, blocks / 2, blocks - 1}) {
    plans.push_back(pruning::make_plan("simple", n, inputs));
    plans.push_back(pruning::make_plan("random", n, inputs));
  }
  pruning::SweepOptions options;
  options.documents_per_step = batch.size();
  std::vector<double> together, alone;
  for (const auto& row : pruning::sweep(decoder, batch, plans, options).loss_nats)
    together.insert(together.end(), row.begin(), row.end());
  for (const auto& plan : plans) {
    throw_if_interrupted();
    const auto one = pruning::sweep(decoder, batch, std::span(&plan, 1), options).loss_nats.at(0);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  return compare_bits("one walk against plans alone",
                      text("losses of ", plans.size(), " plans x ", batch.size(), " documents"),
                      together, alone);
}

models::TokenBatch random_tokens(int64_t documents, int64_t tokens, int64_t vocabulary,
                                 uint64_t seed) {
  models::TokenBatch batch;
  batch.token_count = tokens;
  batch.file = "synthetic";
  Rng rng(seed);
  for (int64_t d = 0; d < documents; ++d) batch.documents.push_back(d);
  for (int64_t i = 0; i < documents * tokens; ++i)
    batch.tokens.push_back(static_cast<int64_t>(rng.below(static_cast<uint64_t>(vocabulary))));
  return batch;
}

}  // namespace

std::vector<EqualityCheck> planted_identity_checks() {
  constexpr uint64_t kSeeds = 5;
  std::vector<double> planted, found;
  std::vector<float> whole, pruned;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    fixtures::TinyDecoderOptions options;
    options.seed = seed + 1;
    const auto block = static_cast<int64_t>(1 + seed % 4);  // neither the first nor the last
    options.identity_blocks = {block};
    const auto decoder = fixtures::tiny_decoder(options);
    const auto batch = random_tokens(4, 24, options.vocabulary_size, seed);
    const auto profile = metrics::profile(decoder, batch, 4);
    pruning::StrategyInputs inputs;
    inputs.block_count = decoder.block_count();
    inputs.profile = &profile;
    const auto plan = pruning::make_plan("similarity", 1, inputs);
    planted.push_back(static_cast<double>(block));
    found.push_back(static_cast<double>(plan.removed.at(0)));
    const auto before = logits_of(decoder, batch);
    const auto after = logits_of(pruning::apply(decoder, plan), batch);
    whole.insert(whole.end(), before.begin(), before.end());
    pruned.insert(pruned.end(), after.begin(), after.end());
  }
  return {compare_bits("planted identity block is found",
                       text("block that similarity removes from ", kSeeds, " synthetic decoders"),
                       planted, found),
          compare_bits("its removal changes nothing", "logits of these decoders", whole, pruned)};
}

ReconnectionResult reconnection_stage(Session& session, const std::string& scratch,
                                      const Console& console) {
  const auto start = Clock::now();
  Progress progress(console, "reconnection: check");
  ReconnectionResult result;
  result.checks = planted_identity_checks();
  progress.update(2, 4);
  const auto batch = sample_of(session.validation());
  result.checks.push_back(trie_against_alone(session, batch));
  progress.update(3, 4);
  if (session.decoder().block_count() >= 2)
    result.checks.push_back(written_and_read(session, batch, scratch));
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace plumb::harness
