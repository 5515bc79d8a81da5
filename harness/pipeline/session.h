#pragma once

#include <optional>
#include <string>

#include "harness/experiment/experiment.h"
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
  const models::Decoder& decoder();
  void drop_decoder() { decoder_.reset(); }
  const models::TokenBatch& calibration();
  const models::TokenBatch& validation();

 private:
  models::TokenBatch select(const TextChoice& choice);
  Experiment experiment_;
  std::optional<models::Checkpoint> checkpoint_;
  std::optional<models::Tokenizer> tokenizer_;
  std::optional<models::Decoder> decoder_;
  std::optional<models::TokenBatch> calibration_;
  std::optional<models::TokenBatch> validation_;
};

}  // namespace plumb::harness
