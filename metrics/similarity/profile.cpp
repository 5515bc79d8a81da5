#include "metrics/similarity/profile.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "base/error.h"
#include "metrics/similarity/angular_distance.h"
#include "metrics/similarity/block_influence.h"

namespace plumb::metrics {
namespace {

using models::Decoder;
using models::TokenBatch;

/// One step of documents [first, first + count) of the batch.
struct Step {
  int64_t first;
  int64_t count;
};

/// What the pass adds up.
struct Sums {
  DistanceMatrix before_norm;
  std::vector<std::vector<double>> after_norm;  ///< [n - 1][document]
  std::vector<double> cosines;                  ///< [L], over documents and positions
};

void require_usable(const TokenBatch& batch, int64_t documents_per_step) {
  if (batch.size() < 1 || batch.token_count < 1)
    throw Error(ErrorKind::kInput,
                text("a profile of ", batch.size(), " documents of ", batch.token_count,
                     " tokens was asked for; at least one of each is needed"));
  if (documents_per_step < 1)
    throw Error(ErrorKind::kUsage,
                text("documents per step are ", documents_per_step, "; at least 1 is needed"));
}

/// A step's tokens in B >= count rows, the last document again in those that are left.
at::Tensor padded_tokens(const TokenBatch& batch, const Step& step, int64_t B) {
  const int64_t T = batch.token_count;
  at::Tensor tokens = at::empty({B, T}, at::kLong);
  for (int64_t row = 0; row < B; ++row) {
    const int64_t document = step.first + std::min(row, step.count - 1);
    std::memcpy(tokens.mutable_data_ptr<int64_t>() + row * T, batch.tokens.data() + document * T,
                static_cast<size_t>(T) * sizeof(int64_t));
  }
  return tokens;
}

std::string state_name(int64_t l) {
  return l == 0 ? "the embedding" : text("the output of block ", l - 1);
}

[[noreturn]] void fail_at(const TokenBatch& batch, int64_t document, int64_t l, int64_t position,
                          const char* what) {
  throw Error(ErrorKind::kInput,
              text("document ", batch.documents[static_cast<size_t>(document)], " of '", batch.file,
                   "', position ", position, ": ", state_name(l), " is ", what,
                   "; a finite state other than zero is needed: look for NaN, infinity or rows of "
                   "zeros in the model's weights"));
}

/// Of both states of a pair, the one to blame.
[[noreturn]] void fail_at(const TokenBatch& batch, int64_t document, int64_t l, int64_t position,
                          const RowProducts& products) {
  const bool input = products.xx == 0 || !std::isfinite(products.xx);
  const bool zero = (input ? products.xx : products.yy) == 0;
  fail_at(batch, document, input ? l : l + 1, position, zero ? "zero" : "not finite");
}

/// Products of the first `count` rows of x and y on a device, summed in double there: what comes back is three numbers
/// a row. Rows go in parts, because their wide copies are four times as large.
std::vector<RowProducts> device_products(const at::Tensor& x, const at::Tensor& y, int64_t count) {
  const int64_t D = x.size(2), part = std::max<int64_t>(1, (int64_t{16} << 20) / D);
  std::vector<RowProducts> rows;
  for (int64_t first = 0; first < count; first += part) {
    const int64_t n = std::min(part, count - first);
    const at::Tensor a = x.view({-1, D}).narrow(0, first, n).to(at::kDouble),
                     b = y.view({-1, D}).narrow(0, first, n).to(at::kDouble);
    const at::Tensor sums =
        at::stack({(a * b).sum(1), (a * a).sum(1), (b * b).sum(1)}, 1).to(at::kCPU).contiguous();
    const double* value = sums.const_data_ptr<double>();
    for (int64_t row = 0; row < n; ++row, value += 3)
      rows.push_back({value[0], value[1], value[2]});
  }
  return rows;
}

/// Sum over the step's documents of the cosines of x^(l) and x^(l+1) at every position. Rows are
/// shared out over threads; the sum runs in their order, so it does not depend on the threads.
double cosine_sum(const TokenBatch& batch, const Step& step, int64_t l, const at::Tensor& x,
                  const at::Tensor& y) {
  const int64_t T = x.size(1), D = x.size(2);
  std::vector<RowProducts> rows(static_cast<size_t>(step.count * T));
  const auto fill = [&](const auto* input, const auto* output) {
    at::parallel_for(0, step.count * T, 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        rows[static_cast<size_t>(row)] = row_products(input + row * D, output + row * D, D);
    });
  };
  if (!x.device().is_cpu())
    rows = device_products(x, y, step.count * T);
  else if (x.scalar_type() == at::kBFloat16)
    fill(x.const_data_ptr<at::BFloat16>(), y.const_data_ptr<at::BFloat16>());
  else
    fill(x.const_data_ptr<float>(), y.const_data_ptr<float>());

  double sum = 0;
  for (int64_t row = 0; row < step.count * T; ++row) {
    const double cosine = rows[static_cast<size_t>(row)].cosine();
    if (!std::isfinite(cosine))
      fail_at(batch, step.first + row / T, l, row % T, rows[static_cast<size_t>(row)]);
    sum += cosine;
  }
  return sum;
}

/// Copies the last-token states of a step to `out` [count, D], in the decoder's dtype. They have a direction, or this
/// throws.
void keep_last(const TokenBatch& batch, const Step& step, int64_t l, const at::Tensor& x,
               at::Tensor out) {
  const int64_t T = x.size(1), D = x.size(2);
  out.copy_(x.select(1, T - 1).narrow(0, 0, step.count));
  const at::Tensor wide = out.to(at::kFloat);
  for (int64_t row = 0; row < step.count; ++row) {
    const std::span state(wide.const_data_ptr<float>() + row * D, static_cast<size_t>(D));
    if (std::all_of(state.begin(), state.end(), [](float v) { return v == 0; }))
      fail_at(batch, step.first + row, l, T - 1, "zero");
    if (!std::all_of(state.begin(), state.end(), [](float v) { return std::isfinite(v); }))
      fail_at(batch, step.first + row, l, T - 1, "not finite");
  }
}

std::vector<double> unit_of(const at::Tensor& state) {
  const at::Tensor wide = state.to(at::kFloat).contiguous();
  return unit_vector({wide.const_data_ptr<float>(), static_cast<size_t>(wide.numel())});
}

/// All pairs of one document: states [L + 2, D] are the L + 1 before the norm, then x^(L) after it.
void add_distances(int64_t document, const at::Tensor& states, Sums& sums) {
  const int64_t L = sums.before_norm.block_count();
  std::vector<std::vector<double>> units;
  for (int64_t l = 0; l < states.size(0); ++l) units.push_back(unit_of(states.select(0, l)));
  const auto& after_norm = units[static_cast<size_t>(L + 1)];
  for (int64_t n = 1; n <= L; ++n) {
    for (int64_t l = 0; l <= L - n; ++l)
      sums.before_norm.at(n, l, document) =
          angle_between_units(units[static_cast<size_t>(l)], units[static_cast<size_t>(l + n)]);
    sums.after_norm[static_cast<size_t>(n - 1)][static_cast<size_t>(document)] =
        angle_between_units(units[static_cast<size_t>(L - n)], after_norm);
  }
}

/// The pass: every step goes through all blocks, as far as they are there.
class Pass {
 public:
  Pass(const Decoder& decoder, const TokenBatch& batch, int64_t B, models::ActivationRoom room)
      : decoder_(decoder),
        batch_(batch),
        B_(B),
        L_(decoder.block_count()),
        sums_{DistanceMatrix(L_, batch.size()),
              std::vector(static_cast<size_t>(L_),
                          std::vector<double>(static_cast<size_t>(batch.size()))),
              std::vector<double>(static_cast<size_t>(L_))},
        store_(std::move(room)) {
    for (int64_t first = 0; first < batch.size(); first += B)
      steps_.push_back({first, std::min(B, batch.size() - first)});
    states_.resize(steps_.size());
  }

  Profile run(const Progress& progress) {
    std::vector<int64_t> order;
    for (int64_t l = 0; l < L_; ++l)
      if (!decoder_.keeps(l)) order.push_back(l);
    decoder_.expect(order);
    const auto said = [&](int64_t documents) {
      if (progress) progress(documents, batch_.size());
    };
    for (size_t step = 0; step < steps_.size(); ++step) {
      begin(step);
      if (order.empty()) said(steps_[step].first + steps_[step].count);
    }
    for (size_t i = 0; i < order.size(); ++i) {
      for (size_t step = 0; step < steps_.size(); ++step)
        carry(step, order[i], run_block(step, order[i], store_.take(static_cast<int64_t>(step))));
      // Documents are all done at the end; until then, as many as the blocks done are worth.
      said(batch_.size() * static_cast<int64_t>(i + 1) / static_cast<int64_t>(order.size()));
    }
    const auto positions = static_cast<double>(batch_.size() * batch_.token_count);
    for (double& sum : sums_.cosines) sum = 1 - sum / positions;
    return {std::move(sums_.before_norm), std::move(sums_.after_norm), std::move(sums_.cosines)};
  }

 private:
  void begin(size_t step) {
    // A device's products give a row other bits in another shape, so the last step has that of all; the CPU's do not.
    const int64_t rows = decoder_.device().is_cpu() ? steps_[step].count : B_;
    const at::Tensor x = decoder_.embed(padded_tokens(batch_, steps_[step], rows)).contiguous();
    // One piece of memory: pieces of a state each would lie between activations that come and go, and keep the heap
    // from using their places again.
    states_[step] =
        at::empty({L_ + 2, steps_[step].count, x.size(-1)}, x.options().device(at::kCPU));
    keep(step, 0, x);
    carry(step, -1, x);
  }

  /// `x` is the output of block `l`: on through the blocks that are in memory.
  void carry(size_t step, int64_t l, at::Tensor x) {
    for (++l; l < L_ && decoder_.keeps(l); ++l) x = run_block(step, l, x);
    if (l == L_) {
      finish(step, x);
    } else {
      const auto steps = static_cast<int64_t>(steps_.size());
      store_.put(static_cast<int64_t>(step), std::move(x), l * steps + static_cast<int64_t>(step));
    }
  }

  at::Tensor run_block(size_t step, int64_t l, const at::Tensor& x) {
    at::Tensor y = decoder_.run_block(l, x).contiguous();
    sums_.cosines[static_cast<size_t>(l)] += cosine_sum(batch_, steps_[step], l, x, y);
    keep(step, l + 1, y);
    return y;
  }

  void keep(size_t step, int64_t l, const at::Tensor& x) {
    keep_last(batch_, steps_[step], l, x, states_[step].select(0, l));
  }

  void finish(size_t step, const at::Tensor& x) {
    const Step& documents = steps_[step];
    const at::Tensor last = x.narrow(1, x.size(1) - 1, 1).contiguous();
    keep_last(batch_, documents, L_, decoder_.final_norm(last), states_[step].select(0, L_ + 1));
    const at::Tensor states = std::exchange(states_[step], {});
    at::parallel_for(0, documents.count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        add_distances(documents.first + row, states.select(1, row), sums_);
    });
  }

  const Decoder& decoder_;
  const TokenBatch& batch_;
  int64_t B_, L_;
  Sums sums_;
  models::ActivationStore store_;
  std::vector<Step> steps_;
  std::vector<at::Tensor>
      states_;  ///< of a step [L + 2, count, D]: before each block, after the last, after the norm
};

}  // namespace

Profile profile(const Decoder& decoder, const TokenBatch& batch, int64_t documents_per_step,
                const Progress& progress, models::ActivationRoom room) {
  require_usable(batch, documents_per_step);
  const c10::InferenceMode no_autograd;
  return Pass(decoder, batch, documents_per_step, std::move(room)).run(progress);
}

}  // namespace plumb::metrics
