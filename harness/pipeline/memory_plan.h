#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/config.h"
#include "models/decoder.h"
#include "pruning/sweep/trie.h"

namespace plumb::harness {

/// Documents that go through the decoder in one pass.
struct PassNeeds {
  int64_t documents = 0;  ///< 0: there is no such pass
  int64_t tokens = 0;     ///< T
};

/// What a command asks of the memory. All of it is known before a weight is read.
struct MemoryNeeds {
  models::ModelConfig config;
  models::Dtype dtype = models::Dtype::kFp32;
  int64_t documents_per_step = 1;  ///< B
  int64_t threads = 1;
  uint64_t baseline_bytes = 0;  ///< resident before the model is loaded: libtorch, tokenizer, texts
  PassNeeds profile;
  PassNeeds sweep;
  PassNeeds questions;  ///< packs of questions, one at a time, and the most rows of one
  const pruning::DepthTrie* trie =
      nullptr;  ///< of the sweep; null where its plans are not known yet
};

/// How a model is held, and what that costs. Bytes are predictions of resident memory unless they say otherwise.
struct MemoryPlan {
  bool streamed = false;  ///< blocks are read one ahead and dropped; else all weights are held
  bool pin_last =
      false;  ///< streamed: the last block is held, so that plans of `simple` finish at once

  uint64_t limit_bytes = 0;
  uint64_t baseline_bytes = 0;
  uint64_t weight_bytes = 0;  ///< of the whole model in its dtype, held or not
  uint64_t block_bytes = 0;   ///< of one block
  uint64_t head_bytes = 0;  ///< unembedding and final norm, always held; a tied embedding is in it
  uint64_t embedding_bytes = 0;  ///< an untied one: held, or read by rows when streamed
  uint64_t held_bytes = 0;  ///< weights that are held: all, or two or three blocks and the head
  uint64_t activation_bytes = 0;  ///< one [B, T, D]
  uint64_t working_bytes =
      0;  ///< what a block and the loss work on: activations, kernels' scratch, the allocator's slack
  uint64_t state_bytes = 0;    ///< last-token states that the profile keeps
  uint64_t waiting_bytes = 0;  ///< activations that wait at the most, in memory or in the file
  uint64_t room_bytes = 0;     ///< of these in memory; the rest goes to a file
  uint64_t spilled_bytes = 0;  ///< size of that file at the most
  uint64_t peak_bytes = 0;     ///< predicted peak of the process; at most limit_bytes
  uint64_t read_bytes =
      0;  ///< weights read from the file in all, as decoded; profile, sweep and questions are a pass each
  uint64_t least_limit_bytes = 0;  ///< the least limit that this would run under
};

/// The plan of least reading that stays under `limit_bytes`: everything in memory where it fits; else streamed, with the
/// last block held where there is room for it. A pure function. Error{kResource} naming the least limit that would do
/// where not even two blocks, the head and one step fit.
MemoryPlan plan_memory(const MemoryNeeds& needs, uint64_t limit_bytes);

/// What it takes to hold everything.
uint64_t resident_need(const MemoryNeeds& needs);

/// What the CPU's kernels work on while a block runs over B sequences of T tokens: queries, keys and values, and what each
/// thread has to itself; models/kernels/block.inc. `element`: bytes of one value.
uint64_t kernel_bytes(const models::ModelConfig& config, int64_t B, int64_t T, uint64_t element,
                      int64_t threads);

/// Rows of a pack of questions: so many that an activation takes 64 MB at most, no fewer than what keeps a header's share
/// small; under a limit (0: none) no more than an eighth of it can be worked on with. A function of its arguments alone.
int64_t rows_of_a_pack(const models::ModelConfig& config, models::Dtype dtype,
                       uint64_t limit_bytes);

/// Activations [B, T, D] that wait at the most, for every step of documents: what a sweep over blocks that come and go
/// keeps between them. 0 where every block is held.
int64_t peak_waiting(const pruning::DepthTrie& trie, int64_t block_count, bool pin_last);

/// The plan in words, for a run's facts and for --dry-run: name and value. And in numbers, for a command's JSON.
std::vector<std::pair<std::string, std::string>> memory_pairs(const MemoryPlan& plan);
nlohmann::ordered_json memory_json(const MemoryPlan& plan);

/// "1GiB", "800MB", "1073741824" to bytes: B, kB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024; fractions
/// are allowed. Error{kUsage} for anything else, and for less than 1 MB.
uint64_t parse_bytes(const std::string& words);

/// What this process may have resident without pushing others out: MemAvailable of the system, and the limits of the
/// memory cgroups above it (v1 and v2) less what is used there and cannot be taken back; what is resident now included.
/// `root` stands in front of /proc and /sys (tests).
uint64_t available_memory_bytes(const std::string& root = "");

}  // namespace plumb::harness
