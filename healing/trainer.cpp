#include "healing/trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "healing/gradient_sum.h"
#include "healing/loss_gradient.h"

namespace plumb::healing {

std::vector<at::Tensor> matrices(const std::vector<BlockAdapter>& adapters) {
  std::vector<at::Tensor> out;
  for (const BlockAdapter& adapter : adapters)
    for (const LoraPair& pair : adapter.pairs)
      if (pair.a.defined()) {
        out.push_back(pair.a);
        out.push_back(pair.b);
      }
  return out;
}

std::vector<BlockAdapter> adapters_on(at::Device device,
                                      const std::vector<BlockAdapter>& adapters) {
  std::vector<BlockAdapter> out = adapters;
  for (BlockAdapter& adapter : out)
    for (LoraPair& pair : adapter.pairs)
      if (pair.a.defined()) pair = {pair.a.to(device), pair.b.to(device)};
  return out;
}

Trainer::Trainer(const models::Decoder& decoder, const TrainerOptions& options)
    : decoder_(decoder),
      options_(options),
      rope_(models::rope_frequencies(decoder.config().rotary_width, decoder.config().rope_theta,
                                     decoder.config().rope_scaling)),
      adapters_(adapters_on(decoder.device(), make_adapters(decoder.config(), decoder.block_count(),
                                                            options.lora, options.seed))),
      adamw_(matrices(adapters_), options.adamw) {
  if (options.accumulation < 1 || !(options.largest_norm > 0))
    throw Error(ErrorKind::kUsage,
                text("steps of ", options.accumulation, " batches and gradients of at most ",
                     options.largest_norm, "; at least 1 and a positive number are needed"));
  if (options.group != nullptr && options.accumulation % options.group->count() != 0)
    throw Error(ErrorKind::kUsage,
                text("steps of ", options.accumulation, " batches for ", options.group->count(),
                     " processes; a multiple of them is needed"));
  learning_rate(options.schedule, 0);  // what is wrong with it is said before any work
}

models::AtenPositions Trainer::positions(int64_t tokens) const {
  return models::aten_positions(rope_, decoder_.config(), 0, tokens, decoder_.device());
}

TrainedBlock Trainer::trained(const models::Block& block, const models::AtenPositions& positions,
                              size_t index, uint64_t first_row) const {
  return {block,
          decoder_.config(),
          positions,
          adapters_[index],
          options_.lora.scale(),
          {options_.lora.dropout, options_.seed, index, first_row}};
}

/// Adds the gradients of the mean loss over a step's batch of that number to `out`; returns that loss.
double Trainer::gradients_of(const at::Tensor& tokens, int64_t batch,
                             std::vector<BlockAdapter>& out) const {
  const int64_t B = tokens.size(0), T = tokens.size(1), L = decoder_.block_count();
  const auto row = static_cast<uint64_t>((adamw_.steps() * options_.accumulation + batch) * B * T);
  const models::AtenPositions place = positions(T);
  at::Tensor x = decoder_.embed(tokens).to(models::scalar_type(options_.states));
  std::vector<BlockStates> states(static_cast<size_t>(L));
  for (int64_t i = 0; i < L; ++i) {
    const auto index = static_cast<size_t>(i);
    const auto block = decoder_.block(i);
    x = trained(*block, place, index, row).forward(x, &states[index]);
  }
  // The state at each position but the last predicts the next token.
  const int64_t D = x.size(-1);
  const at::Tensor predicting = x.narrow(1, 0, T - 1).reshape({-1, D});
  const at::Tensor targets = tokens.narrow(1, 1, T - 1).reshape({-1}).to(x.device());
  LossGradient loss = loss_gradient(decoder_.head(), decoder_.config(), predicting, targets);
  const double mean = loss.losses.mean().item<double>();
  at::Tensor gradient = at::zeros({B, T, D}, loss.gradient.options());
  gradient.narrow(1, 0, T - 1)
      .copy_(loss.gradient.view({B, T - 1, D}) / static_cast<double>(B * (T - 1)));
  for (int64_t i = L - 1; i >= 0; --i) {
    const auto index = static_cast<size_t>(i);
    const auto block = decoder_.block(i);
    gradient =
        trained(*block, place, index, row).backward(states[index], gradient, out[index], i > 0);
    states[index] = {};
  }
  return mean;
}

/// The losses of a step's batches in their order, given those of this process.
std::vector<double> Trainer::of_all(const std::vector<double>& losses) const {
  if (options_.group == nullptr) return losses;
  const int64_t ranks = options_.group->count();
  at::Tensor mine = at::empty({std::ssize(losses)}, at::kDouble);
  std::copy(losses.begin(), losses.end(), mine.mutable_data_ptr<double>());
  const at::Tensor all =
      options_.group->gather(mine).view({ranks, -1}).t().contiguous();  // [batch / ranks, rank]
  return {all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel()};
}

TrainedStep Trainer::step(const std::vector<at::Tensor>& batches) {
  const c10::InferenceMode no_autograd;
  if (static_cast<int64_t>(batches.size()) != options_.accumulation)
    throw Error(ErrorKind::kInvariant,
                text(batches.size(), " batches for a step of ", options_.accumulation));
  TrainedStep out;
  out.learning_rate = learning_rate(options_.schedule, adamw_.steps());
  GradientSum sum(options_.group);
  std::vector<double> losses;
  const int64_t ranks = options_.group != nullptr ? options_.group->count() : 1;
  for (int64_t batch = options_.group != nullptr ? options_.group->rank() : 0;
       batch < options_.accumulation; batch += ranks) {
    std::vector<BlockAdapter> one;
    for (const BlockAdapter& adapter : adapters_) one.push_back(zeros_like(adapter));
    losses.push_back(gradients_of(batches[static_cast<size_t>(batch)], batch, one));
    sum.add(matrices(one));
  }
  for (const double loss : of_all(losses)) out.loss += loss / static_cast<double>(batches.size());
  std::vector<at::Tensor> gradients = sum.total();
  if (batches.size() > 1)
    for (at::Tensor& gradient : gradients) gradient.div_(static_cast<double>(batches.size()));
  out.gradient_norm = clip_norm(gradients, options_.largest_norm);
  if (!std::isfinite(out.loss) || !std::isfinite(out.gradient_norm))
    throw Error(ErrorKind::kInput, text("step ", adamw_.steps(), ": the loss is ", out.loss,
                                        " and the gradients' norm ", out.gradient_norm,
                                        "; finite ones are needed: lower the learning rate"));
  adamw_.step(gradients, out.learning_rate);
  return out;
}

std::vector<double> Trainer::losses(const at::Tensor& tokens) const {
  const c10::InferenceMode no_autograd;
  const int64_t B = tokens.size(0), T = tokens.size(1);
  const models::AtenPositions place = positions(T);
  at::Tensor x = decoder_.embed(tokens).to(models::scalar_type(options_.states));
  for (int64_t i = 0; i < decoder_.block_count(); ++i) {
    const auto block = decoder_.block(i);
    x = TrainedBlock(*block, decoder_.config(), place, adapters_[static_cast<size_t>(i)],
                     options_.lora.scale())
            .forward(x, nullptr);
  }
  const at::Tensor losses = decoder_
                                .cross_entropy(x.narrow(1, 0, T - 1)
                                                   .reshape({-1, x.size(-1)})
                                                   .to(models::scalar_type(decoder_.dtype())),
                                               tokens.narrow(1, 1, T - 1).reshape({-1}))
                                .view({B, T - 1})
                                .to(at::kDouble)
                                .mean(1)
                                .contiguous();
  return {losses.const_data_ptr<double>(), losses.const_data_ptr<double>() + B};
}

void Trainer::restore(const std::vector<at::Tensor>& parameters, int64_t steps,
                      const std::vector<at::Tensor>& first, const std::vector<at::Tensor>& second) {
  const std::vector<at::Tensor> mine = matrices(adapters_);
  bool same = mine.size() == parameters.size();
  for (size_t i = 0; same && i < mine.size(); ++i)
    same = mine[i].sizes().equals(parameters[i].sizes());
  if (!same)
    throw Error(ErrorKind::kInvariant, text(parameters.size(), " matrices were given, needed ",
                                            mine.size(), " of the adapters' shapes"));
  for (size_t i = 0; i < mine.size(); ++i) mine[i].copy_(parameters[i]);
  adamw_.restore(steps, first, second);
}

}  // namespace plumb::healing
