#pragma once

#include "models/kernels/kernel_checks.h"
#include "models/kernels/thread_block.h"

/// Norm and rotation of heads, and their gradient: models/device.h has the formulas. A warp a head; neighbouring lanes
/// have neighbouring features.
namespace plumb::models {

inline constexpr int kRotationThreads = 128;
inline constexpr int64_t kRotationHeads = kRotationThreads / kWarp;  ///< of a block

inline int64_t rotation_blocks(const HeadRotation& h) {
  return (h.rows * h.heads + kRotationHeads - 1) / kRotationHeads;
}

inline const char* refusal(const HeadRotation& h, bool gradient) {
  if (any_negative({h.rows, h.tokens, h.heads, h.width, h.half})) return kNegativeArgument;
  if (!is_known(h.x_type)) return kUnknownElement;
  if (h.rows == 0 || h.heads == 0) return nullptr;
  if (h.width == 0 || 2 * h.half > h.width) return "more features are rotated than a head has";
  if (h.tokens == 0) return "rows without positions";
  const int64_t columns = h.heads * h.width;
  if (h.x_stride < columns || h.y_stride < columns || (gradient && h.dx_stride < columns))
    return "a stride is below the width of a row";
  if (any_null({h.x, h.y}) || (gradient && h.dx == nullptr) ||
      (h.half > 0 && any_null({h.cosine, h.sine})))
    return kNullArgument;
  return rotation_blocks(h) > kMostBlocks ? kTooLarge : nullptr;
}

/// The definitions, in double. x [rows, heads, width] fp32 without gaps; `gain` may be nullptr.
void rotate_heads_reference(const HeadRotation& shape, const float* x, double* y);
/// `gradient` is d loss / d y.
void rotate_heads_gradient_reference(const HeadRotation& shape, const float* x,
                                     const float* gradient, double* dx);

/// Which head of which row a warp has, and whether there is one.
struct HeadPlace {
  int64_t row, head;
  bool exists;
};
PLUMB_KERNEL_CODE HeadPlace head_place(const HeadRotation& h, int64_t block, int thread) {
  const int64_t item = block * kRotationHeads + thread / kWarp;
  return {item / h.heads, item % h.heads, item < h.rows * h.heads};
}

/// f(i, cosine, sine) for this lane's features: i < half with its angle, and i >= 2 * half with none (1 and 0).
template <typename Work>
PLUMB_KERNEL_CODE void walk_head(const HeadRotation& h, int64_t row, int thread, const Work& work) {
  const int64_t angles = row % h.tokens * h.half;
  for (int64_t i = thread % kWarp; i < h.half; i += kWarp)
    work(i, true, h.cosine[angles + i], h.sine[angles + i]);
  for (int64_t i = 2 * h.half + thread % kWarp; i < h.width; i += kWarp) work(i, false, 1.0f, 0.0f);
}

template <typename X, typename Block>
PLUMB_KERNEL_CODE void rotate_heads_block(Block& block, const HeadRotation& h) {
  const X* all = static_cast<const X*>(h.x);
  const bool normed = h.gain != nullptr;
  typename Block::template Private<float> squares;
  block.each([&](int thread) {
    const HeadPlace place = head_place(h, block.index(), thread);
    squares[thread] = 0;
    if (!place.exists || !normed) return;
    const X* x = all + place.row * h.x_stride + place.head * h.width;
    for (int64_t i = thread % kWarp; i < h.width; i += kWarp) {
      const float value = to_float(x[i]);
      squares[thread] = std::fma(value, value, squares[thread]);
    }
  });
  block.warp_sum(squares);
  block.each([&](int thread) {
    const HeadPlace place = head_place(h, block.index(), thread);
    if (!place.exists) return;
    const X* x = all + place.row * h.x_stride + place.head * h.width;
    float* y = h.y + place.row * h.y_stride + place.head * h.width;
    const float factor =
        normed ? 1 / std::sqrt(squares[thread] / static_cast<float>(h.width) + h.epsilon) : 1.0f;
    const auto value = [&](int64_t i) {
      return normed ? to_float(x[i]) * factor * h.gain[i] : to_float(x[i]);
    };
    walk_head(h, place.row, thread, [&](int64_t i, bool turned, float cosine, float sine) {
      const float a = value(i);
      if (!turned) {
        y[i] = a;
        return;
      }
      const float b = value(i + h.half);
      y[i] = std::fma(a, cosine, -(b * sine));
      y[i + h.half] = std::fma(b, cosine, a * sine);
    });
  });
}

/// d loss / d (what was rotated) of a pair.
struct TurnedBack {
  float a, b;
};
PLUMB_KERNEL_CODE TurnedBack turned_back(float ga, float gb, float cosine, float sine) {
  return {std::fma(ga, cosine, gb * sine), std::fma(gb, cosine, -(ga * sine))};
}

template <typename X, typename Block>
PLUMB_KERNEL_CODE void rotate_heads_gradient_block(Block& block, const HeadRotation& h) {
  const X* all = static_cast<const X*>(h.x);
  const bool normed = h.gain != nullptr;
  typename Block::template Private<float> squares, products;
  block.each([&](int thread) {
    const HeadPlace place = head_place(h, block.index(), thread);
    squares[thread] = products[thread] = 0;
    if (!place.exists || !normed) return;
    const X* x = all + place.row * h.x_stride + place.head * h.width;
    const float* g = h.y + place.row * h.y_stride + place.head * h.width;
    const auto add = [&](int64_t i, float gradient) {
      const float value = to_float(x[i]);
      squares[thread] = std::fma(value, value, squares[thread]);
      products[thread] = std::fma(gradient * h.gain[i], value, products[thread]);
    };
    walk_head(h, place.row, thread, [&](int64_t i, bool turned, float cosine, float sine) {
      if (!turned) return add(i, g[i]);
      const TurnedBack back = turned_back(g[i], g[i + h.half], cosine, sine);
      add(i, back.a);
      add(i + h.half, back.b);
    });
  });
  block.warp_sum(squares);
  block.warp_sum(products);
  block.each([&](int thread) {
    const HeadPlace place = head_place(h, block.index(), thread);
    if (!place.exists) return;
    const X* x = all + place.row * h.x_stride + place.head * h.width;
    const float* g = h.y + place.row * h.y_stride + place.head * h.width;
    float* dx = h.dx + place.row * h.dx_stride + place.head * h.width;
    const auto width = static_cast<float>(h.width);
    const float factor = normed ? 1 / std::sqrt(squares[thread] / width + h.epsilon) : 1.0f;
    const float along = factor * factor * (products[thread] / width);
    const auto put = [&](int64_t i, float gradient) {
      dx[i] = normed ? factor * std::fma(-to_float(x[i]), along, gradient * h.gain[i]) : gradient;
    };
    walk_head(h, place.row, thread, [&](int64_t i, bool turned, float cosine, float sine) {
      if (!turned) return put(i, g[i]);
      const TurnedBack back = turned_back(g[i], g[i + h.half], cosine, sine);
      put(i, back.a);
      put(i + h.half, back.b);
    });
  });
}

}  // namespace plumb::models
