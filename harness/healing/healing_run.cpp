#include "harness/healing/healing_run.h"

#include <ATen/ops/empty.h>
#include <malloc.h>

#include <chrono>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/output_file.h"
#include "harness/cli/signals.h"
#include "harness/healing/device_group.h"
#include "harness/healing/merge.h"
#include "harness/pipeline/work_journal.h"
#include "healing/nf4_blocks.h"
#include "healing/peft_adapter.h"
#include "healing/trainer.h"
#include "metrics/cost/cost.h"
#include "models/kernels/panels.h"
#include "pruning/apply.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using healing::TrainingRow;
using healing::TrainingState;
using models::Dtype;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Healing {
 public:
  Healing(const HealingRequest& request, const models::Checkpoint& checkpoint,
          const HealingText& text, const Console& console)
      : request_(request),
        options_(request.options),
        checkpoint_(checkpoint),
        text_(text),
        console_(console),
        processes_(request.processes != nullptr ? *request.processes : alone_),
        state_file_(request.out / ".stages" / "heal.safetensors"),
        key_(healing_key(request.options, checkpoint, text).dump()) {}

  HealingResult run() {
    // What loading needs goes back to the system; what a step needs stays for the next one.
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    processes_.require_same(key_, "training");
    if (processes_.is_first()) {
      read_state();
      write_base();
    }
    const models::Decoder frozen = frozen_decoder();
    mallopt(M_MMAP_THRESHOLD, 32 << 20);  // glibc's greatest
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    result_.frozen_bytes = frozen.block_bytes();
    if (processes_.are_several()) group_ = training_group(processes_, request_.device);
    healing::Trainer trainer(frozen, trainer_options());
    go_on(trainer);
    if (result_.losses_before.empty())
      result_.losses_before = validate(trainer, "validation before");
    train(trainer);
    result_.losses_after = validate(trainer, "validation after");
    if (processes_.is_first()) {
      write_adapter(trainer);
      if (request_.merge) write_merged(trainer);
    }
    result_.processes = processes_.count();
    if (group_) result_.exchange = group_->library();
    result_.peak_resident_bytes = metrics::peak_resident_bytes();
    return std::move(result_);
  }

 private:
  healing::TrainerOptions trainer_options() const {
    healing::TrainerOptions out;
    out.lora = options_.lora;
    out.schedule = options_.schedule();
    out.accumulation = options_.accumulation;
    out.seed = options_.seed;
    out.states = options_.dtype;
    out.group = group_.get();
    return out;
  }

  /// Of the blocks that stay, read one after the other; what is not NF4 of them is gone when it is made.
  models::Decoder frozen_decoder() const {
    const auto exact = models::Decoder::stream(checkpoint_, Dtype::kFp32);
    const bool cpu = request_.device.is_cpu();
    if (!cpu && !healing::expands_nf4(request_.device))
      throw Error(ErrorKind::kResource,
                  text("the plug-in of device '", request_.device.name,
                       "' does not expand NF4, which healing needs: take --device cpu"));
    return healing::with_nf4_blocks(exact.with_blocks(options_.plan.kept()), options_.dtype,
                                    cpu ? held_dtype(options_.dtype) : options_.dtype, checkpoint_,
                                    request_.device);
  }

  void read_state() {
    if (request_.fresh) {
      std::error_code ignored;
      fs::remove(state_file_, ignored);
      for (const char* name : {"base", "adapter", "merged"}) remove_own(name);
      remove_own_gguf();
      return;
    }
    kept_ = healing::read_training_state(state_file_);
    if (!kept_) {
      if (fs::exists(request_.out / "adapter"))
        throw Error(ErrorKind::kUsage,
                    text("'", request_.out.string(),
                         "' holds a finished healing; give another --out, or --fresh to do it "
                         "again"));
      return;
    }
    require_same_key(parse_json(key_), parse_json(kept_->key), state_file_);
    console_.warn(text("goes on after ", kept_->steps(), " of ", options_.steps,
                       " steps, which are taken from '", printable(state_file_.string()), "'"));
    remove_own("adapter");  // killed after it was written: it is written again
  }

  /// From the state that rank 0 has read, if any.
  void go_on(healing::Trainer& trainer) {
    // Numbers of what the others have room for first; -1: there is no state.
    int64_t sizes[2] = {kept_ ? kept_->steps() : -1, kept_ ? std::ssize(kept_->losses_before) : 0};
    processes_.broadcast(sizes, sizeof sizes);
    if (sizes[0] < 0) return;
    TrainingState state = kept_ ? std::move(*kept_) : healing::state_of(trainer);
    kept_.reset();
    state.rows.resize(static_cast<size_t>(sizes[0]));
    state.losses_before.resize(static_cast<size_t>(sizes[1]));
    processes_.broadcast(state.rows.data(), state.rows.size() * sizeof(TrainingRow));
    processes_.broadcast(state.losses_before.data(), state.losses_before.size() * sizeof(double));
    for (auto* tensors : {&state.parameters, &state.first_moments, &state.second_moments})
      for (at::Tensor& tensor : *tensors) {
        // The trainer's own memory may be what state_of gave.
        if (!processes_.is_first()) tensor = tensor.clone();
        processes_.broadcast(tensor.mutable_data_ptr(), tensor.nbytes());
      }
    healing::restore(trainer, state);
    result_.rows = std::move(state.rows);
    result_.losses_before = std::move(state.losses_before);
    result_.resumed_steps = sizes[0];
  }

  /// A folder that an earlier healing wrote.
  void remove_own(const char* name) const {
    const fs::path folder = request_.out / name;
    if (!fs::exists(folder)) return;
    if (!fs::exists(folder / "plumb.json"))
      throw Error(ErrorKind::kUsage, text("'", folder.string(),
                                          "' is there and not of a healing; give another --out"));
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  fs::path merged_gguf() const { return request_.out / "merged.gguf"; }

  void remove_own_gguf() const {
    if (!fs::exists(merged_gguf())) return;
    const auto there = models::Checkpoint::open(merged_gguf());
    if (!there.is_gguf() || !there.gguf_header()->metadata.contains("plumb.provenance"))
      throw Error(ErrorKind::kUsage, text("'", merged_gguf().string(),
                                          "' is there and not of a healing; give another --out"));
    std::error_code ignored;
    fs::remove(merged_gguf(), ignored);
  }

  void write_base() {
    const fs::path base = request_.out / "base";
    if (fs::exists(base / "plumb.json")) {
      const auto json = parse_json(read_file(base / "plumb.json"));
      if (json.at("base").at("sha256") == checkpoint_.sha256() &&
          json.at("removed") == nlohmann::ordered_json(options_.plan.removed))
        return;  // of the run that was interrupted
    }
    write_checkpoint("base", {});
  }

  void write_checkpoint(const char* name, const pruning::WeightChange& change) const {
    constexpr uint64_t kShardBytes = uint64_t{5} << 30;
    pruning::write_pruned(checkpoint_, options_.model, options_.plan, request_.out / name, false,
                          kShardBytes, throw_if_interrupted, options_.model_origin, change);
  }

  static std::vector<healing::BlockAdapter> adapters_of(const healing::Trainer& trainer) {
    return healing::adapters_on(at::kCPU, trainer.adapters());
  }

  models::ModelConfig pruned_config() const {
    models::ModelConfig config = checkpoint_.config();
    config.block_count -= options_.plan.removed_count();
    return config;
  }

  void write_merged(const healing::Trainer& trainer) const {
    request_.merge_as_gguf ? remove_own_gguf() : remove_own("merged");
    const healing::PeftAdapter adapter{options_.lora, adapters_of(trainer)};
    const auto change = merging(adapter, pruned_config());
    if (request_.merge_as_gguf)
      pruning::write_pruned_gguf(checkpoint_, options_.model, options_.plan, merged_gguf(), false,
                                 throw_if_interrupted, options_.model_origin, change);
    else
      write_checkpoint("merged", change);
  }

  /// The loss of each validation document; neighbours of one length share a product, which one rank computes.
  std::vector<double> validate(const healing::Trainer& trainer, const char* label) {
    Progress progress(console_, label);
    std::vector<double> out(text_.validation.size());
    std::vector<size_t> rank_of(out.size());
    size_t product = 0;
    for (size_t first = 0; first < text_.validation.size(); ++product) {
      progress.update(static_cast<int64_t>(first), std::ssize(text_.validation));
      const size_t length = text_.validation[first].tokens.size();
      size_t end = first + 1;
      while (end < text_.validation.size() && end - first < static_cast<size_t>(options_.batch) &&
             text_.validation[end].tokens.size() == length)
        ++end;
      const size_t rank = product % static_cast<size_t>(processes_.count());
      std::fill(rank_of.begin() + static_cast<std::ptrdiff_t>(first),
                rank_of.begin() + static_cast<std::ptrdiff_t>(end), rank);
      if (rank != static_cast<size_t>(processes_.rank())) {
        first = end;
        continue;
      }
      at::Tensor tokens =
          at::empty({static_cast<int64_t>(end - first), static_cast<int64_t>(length)}, at::kLong);
      auto* ids = tokens.mutable_data_ptr<int64_t>();
      for (size_t i = first; i < end; ++i, ids += length)
        std::ranges::copy(text_.validation[i].tokens, ids);
      std::ranges::copy(trainer.losses(tokens), out.begin() + static_cast<std::ptrdiff_t>(first));
      first = end;
    }
    const std::vector<double> all = processes_.gather(std::span<const double>(out));
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = all[rank_of[i] * out.size() + i];
      if (!std::isfinite(out[i]))
        throw Error(ErrorKind::kInput,
                    text(label, ": the loss of document ", text_.validation[i].document, " is ",
                         out[i], "; a finite one is needed"));
    }
    return out;
  }

  void train(healing::Trainer& trainer) {
    Progress progress(console_, "step");
    int64_t kept_steps = trainer.steps_done();
    const int64_t first_step = kept_steps;
    const auto start = Clock::now();
    try {
      while (trainer.steps_done() < options_.steps) {
        processes_.stop_together();
        progress.update(trainer.steps_done(), options_.steps, said(first_step, start));
        step(trainer);
        if (trainer.steps_done() % request_.steps_per_state == 0) {
          keep(trainer);
          kept_steps = trainer.steps_done();
        }
      }
    } catch (const Interrupted&) {
      if (trainer.steps_done() > kept_steps) keep(trainer);
      console_.warn(text(trainer.steps_done(), " of ", options_.steps,
                         " steps are kept; the same command goes on from them"));
      throw;
    }
    result_.seconds = seconds_since(start);
    if (kept_steps < options_.steps) keep(trainer);
  }

  std::string said(int64_t first_step, Clock::time_point start) const {
    const int64_t done = std::ssize(result_.rows) - first_step;
    if (done == 0) return "";
    const double tokens =
        static_cast<double>(done * options_.batch * options_.accumulation * options_.max_tokens);
    return text("loss ", number_text(result_.rows.back().loss), ", ",
                number_text(tokens / seconds_since(start), 3), " tokens/s");
  }

  void step(healing::Trainer& trainer) {
    const int64_t number = trainer.steps_done();
    const int64_t first = number * options_.batch * options_.accumulation;
    std::vector<at::Tensor> batches;
    for (int64_t i = 0; i < options_.accumulation; ++i)
      batches.push_back(text_.batch(first + i * options_.batch, options_.batch));
    const auto start = Clock::now();
    try {
      const healing::TrainedStep done = trainer.step(batches);
      result_.rows.push_back(
          {done.loss, done.gradient_norm, done.learning_rate, seconds_since(start)});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInput) throw;
      keep(trainer);
      throw Error(error.kind(), text(error.what(), "; documents ", documents_of(first),
                                     "; the adapters before it are in '", state_file_.string(),
                                     "' (", number, " steps)"));
    }
  }

  std::string documents_of(int64_t first) const {
    const auto last = first + options_.batch * options_.accumulation - 1;
    return text(text_.training[static_cast<size_t>(first)].first_document, " to ",
                text_.training[static_cast<size_t>(last)].last_document, " of '",
                text_.documents.file, "'");
  }

  void keep(const healing::Trainer& trainer) const {
    if (!processes_.is_first()) return;  // all have the same
    TrainingState state = healing::state_of(trainer);
    state.key = key_;
    state.rows = result_.rows;
    state.losses_before = result_.losses_before;
    require_writable_folder(state_file_.parent_path());
    healing::write_training_state(state_file_, state);
  }

  void write_adapter(const healing::Trainer& trainer) const {
    NewFolder folder(request_.out / "adapter");
    healing::write_peft_adapter(folder.path(), {options_.lora, adapters_of(trainer)},
                                pruned_config(), "../base");
    // Which blocks of which model these layers were.
    write_file_atomically(folder.path() / "plumb.json",
                          read_file(request_.out / "base" / "plumb.json"));
    folder.publish();
  }

  const HealingRequest& request_;
  const HealingOptions& options_;
  const models::Checkpoint& checkpoint_;
  const HealingText& text_;
  const Console& console_;
  const Processes alone_;
  const Processes& processes_;
  std::unique_ptr<healing::TrainingGroup> group_;  ///< null: one process
  fs::path state_file_;
  std::string key_;
  std::optional<TrainingState> kept_;
  HealingResult result_;
};

}  // namespace

Dtype held_dtype(Dtype dtype) {
  const bool amx = models::kernels::panel_kernels().name == "amx-bf16";
  return dtype == Dtype::kBf16 && amx ? Dtype::kBf16 : Dtype::kFp32;
}

HealingResult run_healing(const HealingRequest& request, const models::Checkpoint& checkpoint,
                          const HealingText& text, const Console& console) {
  return Healing(request, checkpoint, text, console).run();
}

void finish_healing(const HealingRequest& request) {
  std::error_code ignored;
  fs::remove(request.out / ".stages" / "heal.safetensors", ignored);
}

}  // namespace plumb::harness
