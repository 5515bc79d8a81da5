#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>

namespace plumb::models {

/// Cosines and sines of rotary position embedding, grown to the positions that are asked for.
///
///     angle[p, i] = p * theta^(-2 i / head_width),   i = 0 .. head_width / 2 - 1
///
/// The frequency and its product with the position are rounded to fp32, as in the code that the
/// models were trained with: at position 4096 an exact angle would differ by up to 2^-13 rad.
/// Cosine and sine are then exact to fp32. Thread rule: all methods may run concurrently; a table
/// that was returned never changes.
class RopeTable {
 public:
  RopeTable(int64_t head_width, double theta) : head_width_(head_width), theta_(theta) {}

  struct View {
    at::Tensor
        cos;  ///< [head_width / 2, at least `positions`] fp32; positions are a multiple of 64
    at::Tensor sin;
  };
  View first(int64_t positions);

 private:
  int64_t head_width_;
  double theta_;
  std::mutex mutex_;
  View table_;
};

}  // namespace plumb::models
