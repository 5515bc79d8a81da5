#include "models/layers/rope_table.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace plumb::models {

namespace {

RopeTable::View make_table(int64_t positions, const std::vector<float>& frequencies) {
  const auto count = static_cast<int64_t>(frequencies.size());
  RopeTable::View table{at::empty({count, positions}, at::kFloat),
                        at::empty({count, positions}, at::kFloat)};
  auto* cosine = table.cos.mutable_data_ptr<float>();
  auto* sine = table.sin.mutable_data_ptr<float>();
  for (int64_t i = 0; i < count; ++i)
    for (int64_t p = 0; p < positions; ++p) {
      const double angle =
          static_cast<double>(static_cast<float>(p) * frequencies[static_cast<size_t>(i)]);
      cosine[i * positions + p] = static_cast<float>(std::cos(angle));
      sine[i * positions + p] = static_cast<float>(std::sin(angle));
    }
  return table;
}

// What Llama 3 divides a frequency by, and the same as transformers computes it: in fp32 throughout.
float scaled_as_llama3(float frequency, const RopeScaling& s) {
  const auto positions = static_cast<float>(s.original_positions);
  const auto low = static_cast<float>(s.low_frequency_factor),
             high = static_cast<float>(s.high_frequency_factor),
             factor = static_cast<float>(s.factor);
  const float wavelength = 2.0f * std::numbers::pi_v<float> / frequency;
  if (wavelength > positions / low) return frequency / factor;
  if (wavelength < positions / high) return frequency;
  const float smooth = (positions / wavelength - low) / (high - low);
  return (1.0f - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

std::vector<float> rope_frequencies(int64_t width, double theta, const RopeScaling& scaling) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < width / 2; ++i) {
    const auto exponent = static_cast<float>(2 * i) / static_cast<float>(width);
    float frequency = 1.0f / static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    if (scaling.kind == RopeScaling::Kind::kLinear) frequency /= static_cast<float>(scaling.factor);
    if (scaling.kind == RopeScaling::Kind::kLlama3)
      frequency = scaled_as_llama3(frequency, scaling);
    frequencies.push_back(frequency);
  }
  return frequencies;
}

RopeScaling scaling_of_factors(std::span<const float> factors, double theta) {
  RopeScaling scaling{RopeScaling::Kind::kLlama3, 1, 1, 4, 8192};
  const auto width = static_cast<int64_t>(2 * factors.size());
  for (const float factor : factors)
    scaling.factor = std::max(scaling.factor, static_cast<double>(factor));
  const auto plain = rope_frequencies(width, theta, {});
  const auto scaled = rope_frequencies(width, theta, scaling);
  for (size_t i = 0; i < factors.size(); ++i) {
    const float wanted = plain[i] / factors[i];
    // The converter's arithmetic is Python's: a few roundings apart.
    if (!(std::abs(scaled[i] - wanted) <= 1e-5f * wanted))
      throw Error(ErrorKind::kInput,
                  text("tensor 'rope_freqs.weight' divides rotary frequency ", i, " by ",
                       factors[i], ", which is not Llama 3's scaling by ", scaling.factor,
                       "; Plumb has no other: use the model's safetensors"));
  }
  return scaling;
}

RopeTable::View RopeTable::first(int64_t positions) {
  const std::lock_guard lock(mutex_);
  const int64_t have = table_.cos.defined() ? table_.cos.size(1) : 0;
  if (have < positions)
    table_ =
        make_table(std::max({(positions + 63) / 64 * 64, 2 * have, int64_t{256}}), frequencies_);
  return table_;
}

RopeTable::View RopeTable::first(int64_t positions, at::Device device) {
  const View table = first(positions);
  if (device.is_cpu()) return table;
  const std::lock_guard lock(mutex_);
  if (!copy_.cos.defined() || copy_.cos.device() != device || copy_.cos.size(1) < positions)
    copy_ = {table.cos.to(device), table.sin.to(device)};
  return copy_;
}

}  // namespace plumb::models
