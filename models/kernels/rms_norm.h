#pragma once

#include "models/kernels/kernel_checks.h"
#include "models/kernels/thread_block.h"

/// RMS norm of rows and its gradient: models/device.h has the formulas. A block a row; each thread reads its values twice, the
/// second time from the caches.
namespace plumb::models {

inline constexpr int kNormThreads = 128;

inline const char* refusal(const RmsNorm& n) {
  if (any_negative({n.rows, n.width})) return kNegativeArgument;
  if (!is_known(n.x_type) || !is_known(n.y_type)) return kUnknownElement;
  if (n.rows > 0 && n.width == 0) return "a norm of rows without values";
  if (n.rows > 0 && any_null({n.x, n.gain, n.y})) return kNullArgument;
  return n.rows > kMostBlocks ? kTooLarge : nullptr;
}

inline const char* refusal(const RmsNormGradient& n) {
  if (any_negative({n.rows, n.width})) return kNegativeArgument;
  if (!is_known(n.x_type)) return kUnknownElement;
  if (n.rows > 0 && n.width == 0) return "a norm of rows without values";
  if (n.rows > 0 && any_null({n.x, n.gain, n.gradient, n.dx})) return kNullArgument;
  return n.rows > kMostBlocks ? kTooLarge : nullptr;
}

/// The definitions, in double. Of fp32 rows and gains.
void rms_norm_reference(const float* x, const float* gain, double epsilon, int64_t rows,
                        int64_t width, double* y);
void rms_norm_gradient_reference(const float* x, const float* gain, const float* gradient,
                                 double epsilon, int64_t rows, int64_t width, double* dx);

template <typename X, typename Y, typename Block>
PLUMB_KERNEL_CODE void rms_norm_block(Block& block, const RmsNorm& n, bool wide) {
  const X* x = static_cast<const X*>(n.x) + block.index() * n.width;
  Y* y = static_cast<Y*>(n.y) + block.index() * n.width;
  typename Block::template Private<float> squares;
  block.each([&](int thread) {
    float mine = 0;
    walk_row(thread, Block::kCount, n.width, wide, [&](int64_t i, auto count) {
      const auto some = load_together<count()>(x + i);
      for (int j = 0; j < count(); ++j) {
        const float value = to_float(some.values[j]);
        mine = std::fma(value, value, mine);
      }
    });
    squares[thread] = mine;
  });
  const float mean = block.sum(squares) / static_cast<float>(n.width);
  const float factor = 1 / std::sqrt(mean + n.epsilon);
  block.each([&](int thread) {
    walk_row(thread, Block::kCount, n.width, wide, [&](int64_t i, auto count) {
      const auto some = load_together<count()>(x + i);
      const auto gains = load_together<count()>(n.gain + i);
      Together<count(), Y> out;
      for (int j = 0; j < count(); ++j)
        store(to_float(some.values[j]) * factor * gains.values[j], &out.values[j]);
      store_together(out, y + i);
    });
  });
}

template <typename X, typename Block>
PLUMB_KERNEL_CODE void rms_norm_gradient_block(Block& block, const RmsNormGradient& n, bool wide) {
  const int64_t first = block.index() * n.width;
  const X* x = static_cast<const X*>(n.x) + first;
  typename Block::template Private<float> squares, products;
  block.each([&](int thread) {
    float square = 0, product = 0;
    walk_row(thread, Block::kCount, n.width, wide, [&](int64_t i, auto count) {
      const auto some = load_together<count()>(x + i);
      const auto gains = load_together<count()>(n.gain + i);
      const auto gradients = load_together<count()>(n.gradient + first + i);
      for (int j = 0; j < count(); ++j) {
        const float value = to_float(some.values[j]);
        square = std::fma(value, value, square);
        product = std::fma(gradients.values[j] * gains.values[j], value, product);
      }
    });
    squares[thread] = square;
    products[thread] = product;
  });
  const auto width = static_cast<float>(n.width);
  const float factor = 1 / std::sqrt(block.sum(squares) / width + n.epsilon);
  const float along = factor * factor * (block.sum(products) / width);
  block.each([&](int thread) {
    walk_row(thread, Block::kCount, n.width, wide, [&](int64_t i, auto count) {
      const auto some = load_together<count()>(x + i);
      const auto gains = load_together<count()>(n.gain + i);
      const auto gradients = load_together<count()>(n.gradient + first + i);
      Together<count(), float> out;
      for (int j = 0; j < count(); ++j) {
        const float own = gradients.values[j] * gains.values[j];
        out.values[j] = factor * std::fma(-to_float(some.values[j]), along, own);
      }
      store_together(out, n.dx + first + i);
    });
  });
}

/// work(X(), Y()) with values of the types that the norm names.
template <typename Work>
void with_types(Element x, const Work& work) {
  x == Element::kFp32 ? work(float()) : work(Bf16());
}

template <typename X, typename Y>
bool is_wide(const RmsNorm& n) {
  return reads_in_fours(static_cast<const X*>(n.x), n.width) &&
         reads_in_fours(static_cast<const Y*>(n.y), n.width) && reads_in_fours(n.gain, n.width);
}
template <typename X>
bool is_wide(const RmsNormGradient& n) {
  return reads_in_fours(static_cast<const X*>(n.x), n.width) && reads_in_fours(n.gain, n.width) &&
         reads_in_fours(n.gradient, n.width) && reads_in_fours(n.dx, n.width);
}

}  // namespace plumb::models
