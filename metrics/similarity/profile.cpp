#include "metrics/similarity/profile.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "metrics/similarity/angular_distance.h"
#include "metrics/similarity/block_influence.h"

namespace plumb::metrics {
namespace {

using models::Decoder;
using models::TokenBatch;

/// One step of documents [first, first + count) of the batch; B >= count rows are computed.
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
  if (x.scalar_type() == at::kBFloat16)
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

/// Unit vectors of the last-token states, appended to each document's list.
void keep_last(const TokenBatch& batch, const Step& step, int64_t l, const at::Tensor& x,
               std::vector<std::vector<std::vector<double>>>& units) {
  const at::Tensor last = x.select(1, x.size(1) - 1).to(at::kFloat).contiguous();
  for (int64_t row = 0; row < step.count; ++row) {
    const auto width = static_cast<size_t>(last.size(1));
    const std::span state(last.const_data_ptr<float>() + row * last.size(1), width);
    try {
      units[static_cast<size_t>(row)].push_back(unit_vector(state));
    } catch (const Error&) {
      const bool zero = std::all_of(state.begin(), state.end(), [](float v) { return v == 0; });
      fail_at(batch, step.first + row, l, x.size(1) - 1, zero ? "zero" : "not finite");
    }
  }
}

/// All pairs of one document: units are the L + 1 states before the norm, then x^(L) after it.
void add_distances(int64_t document, const std::vector<std::vector<double>>& units, Sums& sums) {
  const int64_t L = sums.before_norm.block_count();
  const auto& after_norm = units[static_cast<size_t>(L + 1)];
  for (int64_t n = 1; n <= L; ++n) {
    for (int64_t l = 0; l <= L - n; ++l)
      sums.before_norm.at(n, l, document) =
          angle_between_units(units[static_cast<size_t>(l)], units[static_cast<size_t>(l + n)]);
    sums.after_norm[static_cast<size_t>(n - 1)][static_cast<size_t>(document)] =
        angle_between_units(units[static_cast<size_t>(L - n)], after_norm);
  }
}

void run_step(const Decoder& decoder, const TokenBatch& batch, const Step& step, int64_t B,
              Sums& sums) {
  std::vector<std::vector<std::vector<double>>> units(static_cast<size_t>(step.count));
  at::Tensor x = decoder.embed(padded_tokens(batch, step, B)).contiguous();
  keep_last(batch, step, 0, x, units);
  for (int64_t l = 0; l < decoder.block_count(); ++l) {
    const at::Tensor y = decoder.run_block(l, x).contiguous();
    sums.cosines[static_cast<size_t>(l)] += cosine_sum(batch, step, l, x, y);
    keep_last(batch, step, l + 1, y, units);
    x = y;
  }
  const at::Tensor last = x.narrow(1, x.size(1) - 1, 1).contiguous();
  keep_last(batch, step, decoder.block_count(), decoder.final_norm(last), units);
  at::parallel_for(0, step.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      add_distances(step.first + row, units[static_cast<size_t>(row)], sums);
  });
}

}  // namespace

Profile profile(const Decoder& decoder, const TokenBatch& batch, int64_t documents_per_step,
                const Progress& progress) {
  require_usable(batch, documents_per_step);
  const c10::InferenceMode no_autograd;
  const int64_t L = decoder.block_count(), N = batch.size();
  Sums sums{DistanceMatrix(L, N),
            std::vector(static_cast<size_t>(L), std::vector<double>(static_cast<size_t>(N))),
            std::vector<double>(static_cast<size_t>(L))};
  for (int64_t first = 0; first < N; first += documents_per_step) {
    const Step step{first, std::min(documents_per_step, N - first)};
    run_step(decoder, batch, step, documents_per_step, sums);
    if (progress) progress(first + step.count, N);
  }
  for (double& sum : sums.cosines) sum = 1 - sum / static_cast<double>(N * batch.token_count);
  return {std::move(sums.before_norm), std::move(sums.after_norm), std::move(sums.cosines)};
}

}  // namespace plumb::metrics
