#include <cmath>

#include "models/kernels/adamw_step.h"

namespace plumb::models {

AdamWStep adamw_factors(double learning_rate, double beta1, double beta2, double epsilon,
                        double decay, int64_t steps, double clip) {
  const auto count = static_cast<double>(steps);
  AdamWStep s{};
  s.clip = static_cast<float>(clip);
  s.keep = static_cast<float>(1 - learning_rate * decay);
  s.beta1 = static_cast<float>(beta1);
  s.rest1 = static_cast<float>(1 - beta1);
  s.beta2 = static_cast<float>(beta2);
  s.rest2 = static_cast<float>(1 - beta2);
  s.rate = static_cast<float>(learning_rate / (1 - std::pow(beta1, count)));
  s.root = static_cast<float>(std::sqrt(1 - std::pow(beta2, count)));
  s.epsilon = static_cast<float>(epsilon);
  return s;
}

// The definition that the other versions are held to: no cleverness in this file.
void adamw_reference(const AdamWStep& s) {
  for (int64_t i = 0; i < s.count; ++i) {
    const float g = s.clip * s.gradients[i];
    s.first[i] = s.beta1 * s.first[i] + s.rest1 * g;
    s.second[i] = s.beta2 * s.second[i] + s.rest2 * g * g;
    s.parameters[i] = s.keep * s.parameters[i] -
                      s.rate * s.first[i] / (std::sqrt(s.second[i]) / s.root + s.epsilon);
  }
}

}  // namespace plumb::models
