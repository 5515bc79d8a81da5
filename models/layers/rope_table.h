#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "models/config.h"

namespace plumb::models {

/// What pair i of the `width` rotated features turns by at each position, in rad, i = 0 .. width / 2 - 1: theta^(-2i /
/// width), scaled. Every step is rounded to fp32, as in the code that the models were trained with.
std::vector<float> rope_frequencies(int64_t width, double theta, const RopeScaling& scaling);

/// The Llama 3 scaling that divides the frequencies by `factors` (llama.cpp's rope_freqs.weight), with the 8192
/// positions, low factor 1 and high factor 4 of every released Llama 3. Error{kInput} where no such scaling does.
RopeScaling scaling_of_factors(std::span<const float> factors, double theta);

/// Cosines and sines of rotary position embedding, grown to the positions that are asked for.
///
///     angle[p, i] = p * frequency[i]
///
/// The product with the position is rounded to fp32, as the frequency is: at position 4096 an exact angle would differ
/// by up to 2^-13 rad. Cosine and sine are then exact to fp32. Thread rule: all methods may run concurrently; a table
/// that was returned never changes.
class RopeTable {
 public:
  explicit RopeTable(std::vector<float> frequencies) : frequencies_(std::move(frequencies)) {}

  struct View {
    at::Tensor cos;  ///< [frequencies, at least `positions`] fp32; positions are a multiple of 64
    at::Tensor sin;
  };
  View first(int64_t positions);
  /// The same on a device: a copy, made once.
  View first(int64_t positions, at::Device device);

 private:
  std::vector<float> frequencies_;
  std::mutex mutex_;
  View table_;
  View copy_;  ///< of table_, on the device that was asked for last
};

}  // namespace plumb::models
