#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json_fields.h"

/// For *_test.cpp alone: what scipy, statsmodels and pymannkendall gave
/// (fixtures/golden/make_statistics.py).
namespace plumb::testing {

inline const nlohmann::ordered_json& golden_statistics() {
  static const auto golden =
      parse_json(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/statistics.json"));
  return golden;
}

using Doubles = std::vector<double>;

/// Sums of a few dozen terms in another order: 64 roundings of the largest term at most.
inline double rounding(double magnitude) { return 64 * 2.3e-16 * (std::abs(magnitude) + 1e-300); }

}  // namespace plumb::testing
