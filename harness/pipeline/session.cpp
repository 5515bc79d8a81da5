#include "harness/pipeline/session.h"

#include <ATen/Parallel.h>

#include "base/error.h"
#include "harness/cli/signals.h"
#include "harness/datasets/documents.h"

namespace plumb::harness {

void use_threads(int64_t threads) { at::set_num_threads(static_cast<int>(threads)); }

Session::Session(const Experiment& experiment) : experiment_(experiment) {
  use_threads(experiment_.threads);
}

const models::Checkpoint& Session::checkpoint() {
  if (!checkpoint_) checkpoint_ = models::Checkpoint::open(experiment_.model);
  return *checkpoint_;
}

const models::Tokenizer& Session::tokenizer() {
  if (!tokenizer_) tokenizer_ = models::Tokenizer::open(experiment_.model);
  return *tokenizer_;
}

const models::Decoder& Session::decoder() {
  if (!decoder_) {
    throw_if_interrupted();
    decoder_ = models::Decoder::load(checkpoint(), models::parse_dtype(experiment_.dtype));
    throw_if_interrupted();
  }
  return *decoder_;
}

models::TokenBatch Session::select(const TextChoice& choice) {
  if (choice.file.empty())
    throw Error(ErrorKind::kUsage,
                "no text was named, needed --documents with a JSONL, CSV, Parquet or text file");
  const int64_t positions = checkpoint().config().max_positions;
  if (choice.max_tokens > positions)
    throw Error(ErrorKind::kUsage, text("documents of ", choice.max_tokens,
                                        " tokens were asked for, "
                                        "needed at most the model's ",
                                        positions, " positions"));
  return harness::select_documents(choice.file, tokenizer(), choice.max_tokens, choice.limit,
                                   experiment_.special_tokens);
}

const models::TokenBatch& Session::calibration() {
  if (!calibration_)
    calibration_ =
        experiment_.same_documents() ? validation() : select(experiment_.calibration_text());
  return *calibration_;
}

const models::TokenBatch& Session::validation() {
  if (!validation_) validation_ = select(experiment_.validation);
  return *validation_;
}

}  // namespace plumb::harness
