#pragma once

#include "models/kernels/kernel_checks.h"
#include "models/kernels/thread_block.h"

/// Cross-entropy of rows of logits and its gradient in their place: models/device.h has the formulas. A block a row: one pass for
/// the largest logit and the sum of exponentials together, rescaled as the largest grows, one to write.
namespace plumb::models {

inline constexpr int kLossThreads = 256;

inline const char* refusal(const CrossEntropy& c) {
  if (any_negative({c.rows, c.vocabulary})) return kNegativeArgument;
  if (!is_known(c.type)) return kUnknownElement;
  if (c.rows > 0 && c.vocabulary == 0) return "a loss over no vocabulary";
  if (c.rows > 0 && any_null({c.logits, c.targets, c.losses})) return kNullArgument;
  return c.rows > kMostBlocks ? kTooLarge : nullptr;
}

/// The definition, in double. losses [rows], gradient [rows, vocabulary]; a target outside of the vocabulary as there.
void cross_entropy_reference(const float* logits, const int64_t* targets, double scale,
                             int64_t rows, int64_t vocabulary, double* losses, double* gradient);

template <typename X, typename Block>
PLUMB_KERNEL_CODE void cross_entropy_block(Block& block, const CrossEntropy& c, bool wide) {
  X* logits = static_cast<X*>(c.logits) + block.index() * c.vocabulary;
  const int64_t target = c.targets[block.index()];
  const bool known = target >= 0 && target < c.vocabulary;
  typename Block::template Private<float> largest, sums, most;
  block.each([&](int thread) {
    float top = -INFINITY, sum = 0;
    walk_row(thread, Block::kCount, c.vocabulary, wide, [&](int64_t i, auto count) {
      const auto some = load_together<count()>(logits + i);
      float grown = top;
      for (int j = 0; j < count(); ++j) grown = std::fmax(grown, to_float(some.values[j]));
      if (grown == -INFINITY) {  // nothing but -inf, of which a difference would be NaN, or a NaN
        for (int j = 0; j < count(); ++j)
          if (std::isnan(to_float(some.values[j]))) sum = NAN;
        return;
      }
      if (grown != top) sum *= std::exp(top - grown);
      for (int j = 0; j < count(); ++j) sum += std::exp(to_float(some.values[j]) - grown);
      top = grown;
    });
    largest[thread] = most[thread] = top;
    sums[thread] = sum;
  });
  const float top = block.largest(most);
  block.each([&](int thread) { sums[thread] *= std::exp(largest[thread] - top); });
  const float sum = block.sum(sums);
  block.each([&](int thread) {
    if (thread == 0)
      c.losses[block.index()] = known ? std::log(sum) + (top - to_float(logits[target])) : NAN;
  });
  if (!c.gradient) return;
  block.sync();  // the target's logit has been read
  block.each([&](int thread) {
    walk_row(thread, Block::kCount, c.vocabulary, wide, [&](int64_t i, auto count) {
      const auto some = load_together<count()>(logits + i);
      Together<count(), X> out;
      for (int j = 0; j < count(); ++j) {
        const float p = std::exp(to_float(some.values[j]) - top) / sum;
        const float wanted = i + j == target ? 1.0f : 0.0f;
        store(known ? c.scale * (p - wanted) : 0.0f, &out.values[j]);
      }
      store_together(out, logits + i);
    });
  });
}

template <typename X>
bool is_wide(const CrossEntropy& c) {
  return reads_in_fours(static_cast<const X*>(c.logits), c.vocabulary);
}

}  // namespace plumb::models
