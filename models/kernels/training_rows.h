#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "models/config.h"

/// What training does between its large products, row by row and fused, for the CPU. Each function is one pass over its rows on the
/// calling thread, with sums in fp32; a row's bits do not depend on the others. bf16 is uint16_t, rounded to nearest even.
///
/// Two types: `S`, in which states are kept, and `P`, the operands and results of products.
namespace plumb::models::kernels {

struct NormOfRows {
  Norm norm = Norm::kRms;
  const float* gain = nullptr;  ///< [D]
  const float* bias = nullptr;  ///< [D] or null
  float epsilon = 0;
};

/// A product of low rank onto columns [first, first + columns) of row n: scale * sum_r low[n * stride + r] matrix[r][c].
struct LowRankPart {
  const float* low;
  int64_t stride;
  const float* matrix;  ///< [rank, columns]
  int64_t rank, first, columns;
};

/// Rotation of the first 2 `half` features of T tokens.
struct RotationOfRows {
  const float* cosine;  ///< [T, half]
  const float* sine;
  int64_t half;
};

struct TrainingRows {
  /// x S [rows, D] -> out P [rows, D]
  void (*norm)(const NormOfRows&, const void* x, int64_t rows, int64_t D, void* out);
  /// out = plus + d loss / d x, given d loss / d norm(x) P; `plus` and `out` fp32, which may be the same, or no `plus`.
  void (*norm_gradient)(const NormOfRows&, const void* x, const void* gradient, const float* plus,
                        int64_t rows, int64_t D, float* out);
  /// silu(gate) * up of inner S [rows, 2 F], or silu(inner) of [rows, F] -> out P [rows, F]
  void (*silu)(bool gated, const void* inner, int64_t rows, int64_t F, void* out);
  /// d loss / d inner P, given d loss / d out P
  void (*silu_gradient)(bool gated, const void* inner, const void* gradient, int64_t rows,
                        int64_t F, void* out);
  /// out S = y P + bias + parts + plus S, all [rows, columns]; `bias` and `plus` may be null.
  void (*finish)(const void* y, int64_t rows, int64_t columns, const float* bias,
                 std::span<const LowRankPart> parts, float scale, const void* plus, void* out);
  /// y P += parts
  void (*add_low_rank)(void* y, int64_t rows, int64_t columns, std::span<const LowRankPart> parts,
                       float scale);
  /// out[n * out_stride + r] = sum_c x[n * stride + c] m[r][c], x P, m [rank, columns]
  void (*low)(const void* x, int64_t stride, int64_t rows, int64_t columns, const float* m,
              int64_t rank, float* out, int64_t out_stride);
  /// sums[r][c] += scale * sum_n s[n * s_stride + r] x[n * stride + c] for c in [begin, end), x P, sums [rank, columns]
  void (*outer)(const void* x, int64_t stride, int64_t rows, int64_t columns, const float* s,
                int64_t s_stride, int64_t rank, float scale, int64_t begin, int64_t end,
                float* sums);
  /// logits P [rows, V] become d (sum of losses) / d logits; losses [rows] are -ln p of `targets`.
  void (*cross_entropy)(void* logits, int64_t rows, int64_t V, const int64_t* targets,
                        float* losses);
  /// x S, row t at x + t * stride: `heads` times W features -> out fp32 [heads, T, W], turned and scaled
  void (*rotate)(const RotationOfRows&, const void* x, int64_t stride, int64_t T, int64_t heads,
                 int64_t W, float scale, float* out);
  /// The way back: gradient fp32 [heads, T, W] -> out P, row t at out + t * stride
  void (*rotate_back)(const RotationOfRows&, const float* gradient, int64_t stride, int64_t T,
                      int64_t heads, int64_t W, float scale, void* out);
  /// values fp32 -> out P
  void (*narrow)(const float* values, int64_t count, void* out);
};

/// Scores [heads, count, keys] of queries first .. first + count - 1 become weights; later keys get 0.
using CausalSoftmax = void (*)(float* scores, int64_t heads, int64_t count, int64_t keys,
                               int64_t first);
/// d loss / d weights becomes d loss / d scores.
using CausalSoftmaxGradient = void (*)(float* gradient, const float* weights, int64_t heads,
                                       int64_t count, int64_t keys, int64_t first);

struct TrainingKernels {
  std::string_view name;  ///< "avx512", "avx2", "portable"
  bool (*supported)();
  TrainingRows bf16;       ///< S = P = bf16
  TrainingRows bf16_fp32;  ///< S = bf16, P = fp32
  TrainingRows fp32;       ///< S = P = fp32
  CausalSoftmax softmax;
  CausalSoftmaxGradient softmax_gradient;
};

/// Every set that was compiled in, best first; the last one runs everywhere.
std::span<const TrainingKernels* const> all_training_kernels();
/// The best set that this machine supports.
const TrainingKernels& training_kernels();

}  // namespace plumb::models::kernels
