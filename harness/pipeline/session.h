#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "base/file.h"
#include "harness/experiment/experiment.h"
#include "harness/pipeline/memory_plan.h"
#include "models/activation_store.h"
#include "models/decoder.h"
#include "models/documents.h"
#include "models/formats/checkpoint.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::harness {

/// Sets libtorch's thread count; results depend on it.
void use_threads(int64_t threads);

/// A model and the texts of an experiment, each opened when it is first needed, so that a run whose stages are all
/// reused reads no weight.
class Session {
 public:
  explicit Session(const Experiment& experiment);

  const Experiment& experiment() const { return experiment_; }
  const models::Checkpoint& checkpoint();
  const models::Tokenizer& tokenizer();
  /// In memory or streamed, as memory_plan() says. Error{kResource} where neither fits. The checkpoint's hash, where it
  /// is not known yet, is made beside the loading, so that both wait for the disk once.
  const models::Decoder& decoder();
  void drop_decoder() { decoder_.reset(); }
  /// Another model of this one's family and no larger, such as a pruned copy, held in the same way. The session's own
  /// decoder is dropped first: there is memory for one.
  models::Decoder decoder_of(const models::Checkpoint& checkpoint);
  /// Packs of questions, of at most so many rows, that one task will need: counts where no memory plan was made yet.
  void expect_packs(int64_t packs, int64_t rows);
  /// Made once, when it is first asked for; texts that are read before count in its baseline.
  const MemoryPlan& memory_plan();
  bool has_memory_plan() const { return plan_.has_value(); }
  /// For activations that wait while blocks come and go.
  models::ActivationRoom activation_room();
  /// SHA-256 of a text's bytes. The file stays open, so that what is read of it later are those bytes, wherever its name
  /// points by then.
  std::string text_sha256(const TextChoice& choice);
  const models::TokenBatch& calibration();
  const models::TokenBatch& validation();

 private:
  const InputFile& text_file(const std::filesystem::path& path);
  void hash_beside();
  models::TokenBatch select(const TextChoice& choice);
  Experiment experiment_;
  std::optional<models::Checkpoint> checkpoint_;
  std::jthread hashing_;
  std::optional<models::Tokenizer> tokenizer_;
  PassNeeds packs_;
  std::optional<MemoryPlan> plan_;
  std::optional<models::Decoder> decoder_;
  std::map<std::filesystem::path, InputFile> text_files_;
  std::optional<models::TokenBatch> calibration_;
  std::optional<models::TokenBatch> validation_;
};

}  // namespace plumb::harness
