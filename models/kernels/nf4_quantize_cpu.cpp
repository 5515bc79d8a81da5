#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mean.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/ParallelGuard.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/error.h"
#include "models/kernels/nf4_quantize.h"

namespace plumb::models {
namespace {

// A code is the number of midpoints below, which fifteen comparisons of whole vectors count: the loops below have no branch and
// no table, so that the compiler makes vectors of them for whatever the CPU has. The clamp can be left out: beyond +-1
// all midpoints or none are below.
//
// An overflow of weight * inverse is infinite and so on the right side; there is no other surprise, as both are finite.

#if defined(__x86_64__)
#define PLUMB_VECTORS __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define PLUMB_VECTORS
#endif

/// Whether all weights of the block are finite.
PLUMB_VECTORS bool whole_block(const float* weights, const float* bounds, uint8_t* codes,
                               float* absmax) {
  float largest = 0;
  bool finite = true;
  for (int64_t i = 0; i < kNf4Block; ++i) {
    const float magnitude = std::abs(weights[i]);
    finite &= magnitude <= 3.4028235e38f;  // false for NaN
    largest = magnitude > largest ? magnitude : largest;
  }
  const float inverse = 1 / std::max(largest, 1e-38f);
  uint8_t each[kNf4Block];
  for (int64_t i = 0; i < kNf4Block; ++i) {
    const float scaled = weights[i] * inverse;
    int32_t code = 0;
    for (int b = 0; b < 15; ++b) code += scaled > bounds[b];
    each[i] = static_cast<uint8_t>(code);
  }
  for (int64_t i = 0; i < kNf4Block / 2; ++i)
    codes[i] = static_cast<uint8_t>(each[2 * i] << 4 | each[2 * i + 1]);
  *absmax = largest;
  return finite;
}

std::array<float, 15> midpoints() {
  std::array<float, 15> out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = (kNf4Levels[i] + kNf4Levels[i + 1]) / 2;
  return out;
}

std::array<float, 256> made_map() {
  std::array<float, 256> out = {};
  size_t filled = 0;
  for (int e = 0; e < 7; ++e) {
    const int parts = 1 << e;
    // Ends of the parts as torch.linspace has them where the CPU has AVX2: from the left in the first half, from the right in
    // the second, each rounded once.
    const float step = (1.0f - 0.1f) / static_cast<float>(parts);
    const auto end = [&](int i) {
      return i < (parts + 1) / 2 ? std::fma(step, static_cast<float>(i), 0.1f)
                                 : std::fma(-step, static_cast<float>(parts - i), 1.0f);
    };
    const auto power = static_cast<float>(std::pow(10.0, e - 6));
    for (int i = 0; i < parts; ++i) {
      const float value = power * ((end(i) + end(i + 1)) / 2.0f);
      out[filled++] = value;
      out[filled++] = -value;
    }
  }
  out[filled++] = 0;
  out[filled++] = 1;
  std::sort(out.begin(), out.end());
  return out;
}

constexpr size_t kPoints = 65536;

/// Of each point of [-1, 1] the code whose value is nearest; of two equally near ones the lower.
std::vector<uint8_t> made_table() {
  const auto& map = dynamic_map();
  std::vector<uint8_t> out(kPoints);
  size_t code = 0;
  for (size_t i = 0; i < kPoints; ++i) {
    const float point = static_cast<float>(i) / 65535.0f * 2.0f - 1.0f;
    while (code < 255 && std::abs(point - map[code + 1]) < std::abs(point - map[code])) ++code;
    out[i] = static_cast<uint8_t>(code);
  }
  return out;
}

float mean_of(std::span<const float> values) {
  const c10::InferenceMode no_autograd;
  const c10::ParallelGuard one_thread(true);
  return at::mean(at::from_blob(const_cast<float*>(values.data()),
                                {static_cast<int64_t>(values.size())}, at::kFloat))
      .item<float>();
}

}  // namespace

void nf4_quantize_cpu(std::span<const float> weights, std::span<uint8_t> codes,
                      std::span<float> absmax) {
  require_nf4_sizes(codes.size(), absmax.size(), weights.size());
  static const std::array<float, 15> bounds = midpoints();
  const int64_t whole = static_cast<int64_t>(weights.size()) / kNf4Block;
  constexpr int64_t kGrain = 256;  // blocks; 64 KiB of weights
  std::atomic<bool> finite{true};
  at::parallel_for(0, whole, kGrain, [&](int64_t begin, int64_t end) {
    bool all = true;
    for (int64_t block = begin; block < end; ++block)
      all &= whole_block(weights.data() + block * kNf4Block, bounds.data(),
                         codes.data() + block * kNf4Block / 2, absmax.data() + block);
    if (!all) finite = false;
  });
  const std::span rest = weights.subspan(static_cast<size_t>(whole * kNf4Block));
  finite = finite && std::ranges::all_of(rest, [](float weight) { return std::isfinite(weight); });
  // The reference says which one is not finite, counted from the first, and does the rest.
  const auto done = static_cast<size_t>(finite ? whole * kNf4Block : 0);
  nf4_quantize_reference(weights.subspan(done), codes.subspan(done / 2),
                         absmax.subspan(done / kNf4Block));
}

const std::array<float, 256>& dynamic_map() {
  static const std::array<float, 256> map = made_map();
  return map;
}

QuantizedScales quantize_scales(std::span<const float> absmax) {
  static const std::vector<uint8_t> table = made_table();
  QuantizedScales out;
  if (absmax.empty()) return out;
  out.offset = mean_of(absmax);
  if (!std::isfinite(out.offset))
    throw Error(ErrorKind::kInput, text("the mean of ", absmax.size(), " scales is ", out.offset,
                                        "; NF4 with double quantisation needs a finite one"));
  out.codes.resize(absmax.size());
  for (size_t first = 0; first < absmax.size(); first += kScaleBlock) {
    const size_t end = std::min(first + static_cast<size_t>(kScaleBlock), absmax.size());
    float largest = 0;
    for (size_t i = first; i < end; ++i)
      largest = std::max(largest, std::abs(absmax[i] - out.offset));
    out.scales.push_back(largest);
    const float inverse = 1 / largest;
    for (size_t i = first; i < end; ++i) {
      const float normed = (absmax[i] - out.offset) * inverse;
      const float place = (normed + 1.0f) * 32767.5f + 0.5f;
      // A block of zeros has no direction: its code is the first.
      out.codes[i] =
          largest > 0 ? table[static_cast<size_t>(std::clamp(place, 0.0f, 65535.0f))] : uint8_t{0};
    }
  }
  return out;
}

void dequantize_scales(const QuantizedScales& quantized, std::span<float> out) {
  if (out.size() != quantized.codes.size())
    throw Error(ErrorKind::kInvariant,
                text("NF4: ", quantized.codes.size(), " scales were asked for as ", out.size()));
  const auto& map = dynamic_map();
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = map[quantized.codes[i]] * quantized.scales[i / kScaleBlock] + quantized.offset;
}

uint64_t Nf4Weights::size_bytes() const {
  return codes.size() + scales.codes.size() + scales.scales.size() * sizeof(float) + sizeof(float);
}

Nf4Weights nf4_weights(std::span<const float> weights) {
  Nf4Weights out;
  out.count = static_cast<int64_t>(weights.size());
  out.codes.resize(static_cast<size_t>(nf4_code_bytes(out.count)));
  std::vector<float> absmax(static_cast<size_t>(nf4_blocks(out.count)));
  nf4_quantize_cpu(weights, out.codes, absmax);
  out.scales = quantize_scales(absmax);
  return out;
}

void nf4_dequantize(const Nf4Weights& weights, std::span<float> out) {
  std::vector<float> absmax(weights.scales.codes.size());
  dequantize_scales(weights.scales, absmax);
  nf4_dequantize_cpu(weights.codes, absmax, out);
}

}  // namespace plumb::models
