#include "harness/pipeline/session.h"

#include <ATen/Parallel.h>
#include <malloc.h>

#include "base/error.h"
#include "base/remembered_hash.h"
#include "harness/cli/signals.h"
#include "harness/datasets/documents.h"
#include "harness/pipeline/placement.h"
#include "metrics/cost/cost.h"

namespace plumb::harness {

void use_threads(int64_t threads) { at::set_num_threads(static_cast<int>(threads)); }

Session::Session(const Experiment& experiment) : experiment_(experiment) {
  use_threads(experiment_.threads);
  device_of(experiment_);  // what is not there is said before anything is read
}

const models::Checkpoint& Session::checkpoint() {
  if (!checkpoint_) checkpoint_ = models::Checkpoint::open(experiment_.model);
  return *checkpoint_;
}

const models::Tokenizer& Session::tokenizer() {
  if (!tokenizer_) tokenizer_ = models::Tokenizer::of(checkpoint(), experiment_.model);
  return *tokenizer_;
}

const models::Decoder& Session::decoder() {
  if (!decoder_) {
    throw_if_interrupted();
    hash_beside();
    decoder_ = decoder_of(checkpoint());
    throw_if_interrupted();
  }
  return *decoder_;
}

void Session::hash_beside() {
  hashing_ = std::jthread([checkpoint = checkpoint()](const std::stop_token& stop) {
    try {
      checkpoint.sha256(stop);
    } catch (const Error&) {
      // Whoever asks for the hash meets the same error, where it can be told.
    }
  });
}

models::Decoder Session::decoder_of(const models::Checkpoint& checkpoint) {
  decoder_.reset();
  const MemoryPlan& plan = memory_plan();
  const models::Dtype dtype = models::parse_dtype(experiment_.dtype);
  return placed(plan.streamed ? models::Decoder::stream(checkpoint, dtype, plan.pin_last)
                              : models::Decoder::load(checkpoint, dtype),
                experiment_, experiment_.memory_limit_bytes);
}

void Session::expect_packs(int64_t packs, int64_t rows) {
  packs_ = {std::max(packs_.documents, packs), std::max(packs_.tokens, rows)};
}

const MemoryPlan& Session::memory_plan() {
  if (plan_) return *plan_;
  MemoryNeeds needs;
  needs.config = checkpoint().config();
  needs.dtype = models::parse_dtype(experiment_.dtype);
  needs.documents_per_step = experiment_.documents_per_step;
  needs.threads = experiment_.threads;
  if (const TextChoice& text = experiment_.calibration_text(); !text.file.empty())
    needs.profile = {text.limit, text.max_tokens};
  if (!experiment_.validation.file.empty())
    needs.sweep = {experiment_.validation.limit, experiment_.validation.max_tokens};
  needs.questions = packs_;
  malloc_trim(0);
  needs.baseline_bytes = metrics::resident_bytes();
  const auto here = static_cast<uint64_t>(experiment_.processes_here);
  plan_ = harness::plan_memory(needs, experiment_.memory_limit_bytes > 0
                                          ? experiment_.memory_limit_bytes
                                          : available_memory_bytes() / here);
  // Tensors have pages of their own from here on, which go back to the system with them: what the heap would keep of
  // freed ones is in no plan.
  constexpr int kLeastMapped = 1 << 20;
  if (plan_->streamed || experiment_.memory_limit_bytes > 0)
    mallopt(M_MMAP_THRESHOLD, kLeastMapped);
  return *plan_;
}

models::ActivationRoom Session::activation_room() {
  if (!memory_plan().streamed) return {};
  // The disk of the results, whose folder is made when they are there; /tmp may be memory.
  std::filesystem::path folder = std::filesystem::absolute(experiment_.out);
  while (!std::filesystem::is_directory(folder) && folder.has_relative_path())
    folder = folder.parent_path();
  return {memory_plan().room_bytes, folder};
}

const InputFile& Session::text_file(const std::filesystem::path& path) {
  return text_files_.try_emplace(path, path).first->second;
}

std::string Session::text_sha256(const TextChoice& choice) {
  return remembered_sha256(text_file(choice.file));
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
  return harness::select_documents(text_file(choice.file), tokenizer(), choice.max_tokens,
                                   choice.limit, experiment_.special_tokens);
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
