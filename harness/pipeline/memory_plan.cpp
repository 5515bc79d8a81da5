#include "harness/pipeline/memory_plan.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "harness/cli/console.h"
#include "models/architecture.h"
#include "models/block.h"
#include "models/kernels/panels.h"
#include "pruning/sweep/sweep.h"

namespace plumb::harness {

namespace {

using models::ModelConfig;

/// What the allocator keeps and what libtorch touches for the first time while the model runs: measured as the peak of a
/// process less all that is counted here, 4 MB at the most on models of 0.1 to 2.1 G weights; four times that.
constexpr uint64_t kSlackBytes = uint64_t{16} << 20;
/// What each thread works on beside its panels: a band of weights and its products, scores of keys (models/kernels/strip.inc).
constexpr uint64_t kThreadBytes = uint64_t{5} << 19;

uint64_t unsigned_product(std::initializer_list<int64_t> factors) {
  uint64_t out = 1;
  for (const int64_t factor : factors) out *= static_cast<uint64_t>(factor);
  return out;
}

uint64_t elements(const ModelConfig& c) { return unsigned_product({c.vocabulary_size, c.width}); }

/// Bytes that loading one block needs beside its place: queries, keys and values that a file has by heads.
uint64_t loading_bytes(const ModelConfig& c, uint64_t element) {
  if (models::architecture_by_name(c.architecture).fused != models::FusedOrder::kByHead) return 0;
  return unsigned_product({c.head_count + 2 * c.kv_head_count, c.head_width, c.width}) * element;
}

int64_t steps_of(const PassNeeds& pass, int64_t B) { return (pass.documents + B - 1) / B; }

/// One pass: activations that are worked on, and those that wait.
struct PassBytes {
  uint64_t working = 0;
  uint64_t waiting_resident = 0;
  uint64_t waiting_streamed = 0;
};

PassBytes profile_bytes(const MemoryNeeds& n, uint64_t element) {
  const auto [documents, T] = n.profile;
  if (documents == 0) return {};
  const uint64_t activation = unsigned_product({n.documents_per_step, T, n.config.width}) * element;
  constexpr uint64_t kRowBytes = 3 * sizeof(double);  // products of a token's states
  return {3 * activation + unsigned_product({n.documents_per_step, T}) * kRowBytes +
              kernel_bytes(n.config, n.documents_per_step, T, element, n.threads),
          0, static_cast<uint64_t>(steps_of(n.profile, n.documents_per_step)) * activation};
}

/// What the sweep's comparison with the whole model holds: the states that plans of a step are read from, and the whole
/// model's weights of each thread's positions (models/kernels/distributions.inc).
uint64_t comparison_bytes(const MemoryNeeds& n, uint64_t activation) {
  const int64_t V = n.config.vocabulary_size;
  const uint64_t plans =
      n.trie != nullptr ? n.trie->distinct.size() : static_cast<uint64_t>(2 * n.config.block_count);
  constexpr uint64_t kTogether =
      16;  // those that are compared at a time, where the rest is in a file
  const uint64_t waiting = plans * activation;
  const uint64_t held = waiting <= pruning::kWaitingReadBytes
                            ? waiting
                            : pruning::kWaitingReadBytes + kTogether * activation;
  constexpr int64_t kPanels = 16, kStripRows = 8;  // at most; at least
  const uint64_t panel = unsigned_product(
      {V + V / kStripRows + 2 * models::kernels::kPanel, models::kernels::kPanel, 4});
  constexpr uint64_t kKept = uint64_t{32} << 20;
  return held +
         static_cast<uint64_t>(n.threads) * std::min(kPanels * panel, std::max(kKept, panel));
}

/// Activations of one step that are open at once in a walk, and that wait at the most where blocks come and go.
std::pair<int64_t, int64_t> walked(const MemoryNeeds& n, bool pin_last) {
  const int64_t L = n.config.block_count;
  if (n.trie == nullptr) return {L, L};
  return {n.trie->peak_activations(), peak_waiting(*n.trie, L, pin_last)};
}

PassBytes question_bytes(const MemoryNeeds& n, uint64_t element, bool pin_last) {
  const auto [packs, rows] = n.questions;
  if (packs == 0) return {};
  const uint64_t activation = unsigned_product({rows, n.config.width}) * element;
  const auto [open, waiting] = walked(n, pin_last);
  // Input, output, the rows that are read, and those whose logits are made.
  return {4 * activation + kernel_bytes(n.config, 1, rows, element, n.threads),
          static_cast<uint64_t>(open) * activation,
          static_cast<uint64_t>(waiting * packs) * activation};
}

PassBytes sweep_bytes(const MemoryNeeds& n, uint64_t element, bool pin_last) {
  const auto [documents, T] = n.sweep;
  if (documents == 0) return {};
  const uint64_t activation = unsigned_product({n.documents_per_step, T, n.config.width}) * element;
  const auto [open, waiting] = walked(n, pin_last);
  // Input, output, and the rows that predict.
  return {3 * activation + kernel_bytes(n.config, n.documents_per_step, T, element, n.threads) +
              comparison_bytes(n, activation),
          static_cast<uint64_t>(open) * activation,
          static_cast<uint64_t>(waiting * steps_of(n.sweep, n.documents_per_step)) * activation};
}

/// Last-token states of all documents, and their unit vectors, one document a thread.
uint64_t state_bytes(const MemoryNeeds& n, uint64_t element) {
  if (n.profile.documents == 0) return 0;
  const int64_t L = n.config.block_count;
  return unsigned_product({n.profile.documents, L + 2, n.config.width}) * element +
         unsigned_product({n.threads, L + 2, n.config.width, int64_t{sizeof(double)}}) +
         unsigned_product({L * (L + 3) / 2, n.profile.documents, int64_t{sizeof(double)}});
}

uint64_t element_bytes(const MemoryNeeds& n) {
  return c10::elementSize(models::scalar_type(n.dtype));
}

/// What is the same however the model is held.
MemoryPlan parts_of(const MemoryNeeds& n, uint64_t limit_bytes) {
  const ModelConfig& c = n.config;
  const uint64_t element = element_bytes(n);
  MemoryPlan plan;
  plan.limit_bytes = limit_bytes;
  plan.baseline_bytes = n.baseline_bytes;
  plan.block_bytes = models::block_bytes_of(c, models::scalar_type(n.dtype));
  plan.head_bytes = elements(c) * element;
  plan.embedding_bytes = c.tied_embeddings ? 0 : elements(c) * element;
  plan.weight_bytes = static_cast<uint64_t>(c.block_count) * plan.block_bytes + plan.head_bytes +
                      plan.embedding_bytes;
  plan.activation_bytes = unsigned_product({n.documents_per_step,
                                            std::max(n.profile.tokens, n.sweep.tokens), c.width}) *
                          element;
  // The run's check of a written checkpoint holds the logits of two documents of 64 tokens.
  constexpr uint64_t kCheckedRows = 128;
  plan.working_bytes =
      std::max({profile_bytes(n, element).working, sweep_bytes(n, element, false).working,
                question_bytes(n, element, false).working,
                kCheckedRows * static_cast<uint64_t>(c.vocabulary_size) * 4}) +
      loading_bytes(c, element) + kSlackBytes;
  plan.state_bytes = state_bytes(n, element);
  return plan;
}

}  // namespace

uint64_t kernel_bytes(const ModelConfig& c, int64_t B, int64_t T, uint64_t element,
                      int64_t threads) {
  constexpr int64_t kPanel = models::kernels::kPanel;
  const int64_t rows = B * ((T + kPanel - 1) / kPanel * kPanel + kPanel);
  const uint64_t heads =
      unsigned_product({rows, c.head_count + 2 * c.kv_head_count, c.head_width + kPanel}) * element;
  const uint64_t panel = unsigned_product(
      {kPanel, 2 * c.width + std::max(c.width, c.head_count * c.head_width) + c.feed_forward_width,
       int64_t{sizeof(float)}});
  constexpr uint64_t kTogether = 8,
                     kHeads = 4;  // panels of a pass over the weights; heads of a product with keys
  const uint64_t scores = kHeads * unsigned_product({T + kPanel, kPanel, int64_t{sizeof(float)}});
  return heads + static_cast<uint64_t>(threads) * (kThreadBytes + kTogether * panel + scores);
}

int64_t rows_of_a_pack(const ModelConfig& config, models::Dtype dtype, uint64_t limit_bytes) {
  const uint64_t element = c10::elementSize(models::scalar_type(dtype));
  const uint64_t row = static_cast<uint64_t>(config.width) * element;
  const auto rows =
      std::clamp<int64_t>(static_cast<int64_t>((uint64_t{1} << 26) / row), 4096, 32768);
  if (limit_bytes == 0) return rows;
  constexpr int64_t kSome = 8192, kFewest = 512;
  const uint64_t each = 4 * row + kernel_bytes(config, 1, kSome, element, 0) / kSome;
  return std::min(rows, std::max(kFewest, static_cast<int64_t>(limit_bytes / 8 / each)));
}

int64_t peak_waiting(const pruning::DepthTrie& trie, int64_t block_count, bool pin_last) {
  const auto keeps = [&](size_t node) {
    return pin_last && trie.nodes[node].block == block_count - 1;
  };
  // A node waits from its own block to the last one of its children that isn't held.
  std::map<int64_t, int64_t> change;
  for (size_t index = 1; index < trie.nodes.size(); ++index) {
    int64_t last = -1;
    for (const size_t child : trie.nodes[index].children)
      if (!keeps(child)) last = std::max(last, trie.nodes[child].block);
    if (last < 0) continue;
    ++change[trie.nodes[index].block];
    --change[last];
  }
  int64_t now = 0, most = 0;
  for (const auto& [block, by] : change) {
    now += by;
    most = std::max(most, now);
  }
  return most;
}

namespace {

/// Of a model that is held; one task or the documents are walked at a time.
uint64_t waiting_resident(const MemoryNeeds& n) {
  const uint64_t element = element_bytes(n);
  return std::max(sweep_bytes(n, element, false).waiting_resident,
                  question_bytes(n, element, false).waiting_resident);
}

}  // namespace

uint64_t resident_need(const MemoryNeeds& needs) {
  const MemoryPlan parts = parts_of(needs, 0);
  return parts.baseline_bytes + parts.working_bytes + parts.state_bytes + parts.weight_bytes +
         waiting_resident(needs);
}

MemoryPlan plan_memory(const MemoryNeeds& n, uint64_t limit_bytes) {
  MemoryPlan plan = parts_of(n, limit_bytes);
  const auto L = static_cast<uint64_t>(n.config.block_count);
  const uint64_t element = element_bytes(n), resident = resident_need(n);
  const auto weights_held = [&](uint64_t pinned) {  // the one in use, the next, and the last
    return plan.head_bytes + (std::min<uint64_t>(2, L - pinned) + pinned) * plan.block_bytes;
  };
  const uint64_t others = plan.baseline_bytes + plan.working_bytes + plan.state_bytes;
  const uint64_t streamed = others + weights_held(0);
  plan.least_limit_bytes = std::min(resident, streamed);
  if (plan.least_limit_bytes > limit_bytes)
    throw Error(ErrorKind::kResource,
                text("a memory limit of ", bytes_text(limit_bytes),
                     " is too small for this model: two blocks, the head and one step of "
                     "documents or one pack of questions need ",
                     bytes_text(plan.least_limit_bytes), " (", plan.least_limit_bytes,
                     " bytes); raise --memory-limit to that, or lower --documents-per-step, "
                     "--max-tokens or the setting rows_per_pack"));
  if (resident <= limit_bytes) {
    plan.held_bytes = plan.read_bytes = plan.weight_bytes;
    plan.waiting_bytes = plan.room_bytes = waiting_resident(n);
    plan.peak_bytes = resident;
    return plan;
  }
  plan.streamed = true;
  plan.pin_last = others + weights_held(1) <= limit_bytes;
  const uint64_t pinned = plan.pin_last ? 1 : 0;
  plan.held_bytes = weights_held(pinned);
  plan.waiting_bytes = std::max({profile_bytes(n, element).waiting_streamed,
                                 sweep_bytes(n, element, plan.pin_last).waiting_streamed,
                                 question_bytes(n, element, plan.pin_last).waiting_streamed});
  const uint64_t least = others + plan.held_bytes;
  plan.room_bytes = std::min(plan.waiting_bytes, limit_bytes - least);
  plan.spilled_bytes = plan.waiting_bytes - plan.room_bytes;
  plan.peak_bytes = least + plan.room_bytes;
  uint64_t passes = 0;
  for (const PassNeeds& pass : {n.profile, n.sweep, n.questions})
    passes += pass.documents > 0 ? 1 : 0;
  plan.read_bytes = plan.head_bytes + (passes * (L - pinned) + pinned) * plan.block_bytes;
  return plan;
}

std::vector<std::pair<std::string, std::string>> memory_pairs(const MemoryPlan& plan) {
  const auto bytes = [](uint64_t value) { return bytes_text(value); };
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"memory limit", bytes(plan.limit_bytes)},
      {"model", plan.streamed ? text("streamed: blocks of ", bytes(plan.block_bytes),
                                     " are read one ahead and dropped",
                                     plan.pin_last ? ", the last one stays" : "")
                              : "in memory"},
      {"weights", text(bytes(plan.weight_bytes), plan.streamed ? ", of which held " : "",
                       plan.streamed ? bytes(plan.held_bytes) : "")},
      {"predicted peak", bytes(plan.peak_bytes)},
      {"activations that wait",
       text(bytes(plan.waiting_bytes),
            plan.spilled_bytes > 0 ? text(", of which in a file ", bytes(plan.spilled_bytes))
                                   : "")}};
  if (plan.streamed) pairs.emplace_back("read from the file", bytes(plan.read_bytes));
  return pairs;
}

nlohmann::ordered_json memory_json(const MemoryPlan& plan) {
  return {{"streamed", plan.streamed},
          {"pin_last", plan.pin_last},
          {"limit_bytes", plan.limit_bytes},
          {"least_limit_bytes", plan.least_limit_bytes},
          {"baseline_bytes", plan.baseline_bytes},
          {"weight_bytes", plan.weight_bytes},
          {"block_bytes", plan.block_bytes},
          {"held_bytes", plan.held_bytes},
          {"working_bytes", plan.working_bytes},
          {"state_bytes", plan.state_bytes},
          {"waiting_bytes", plan.waiting_bytes},
          {"room_bytes", plan.room_bytes},
          {"spilled_bytes", plan.spilled_bytes},
          {"peak_bytes", plan.peak_bytes},
          {"read_bytes", plan.read_bytes}};
}

}  // namespace plumb::harness
