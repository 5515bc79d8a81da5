#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/statistics/latent_answers_testing.h"
#include "harness/pipeline/accuracy_summary.h"

/// Answers with a planted collapse. For tests alone.
namespace plumb::harness::testing {

struct PlantedCollapse {
  int64_t questions = 1000;
  double upper = 0.7, lower = 0.25;
  double centre = 0.5, width = 0.03;  ///< fractions of the 20 blocks
  std::string strategy = "similarity";
  std::string task = "planted";
  uint64_t run = 0;
};

/// One plan for each n < 20; accuracy is a logistic of n / 20. Questions are easy or hard for all plans alike.
inline AnsweredTask collapsing(const PlantedCollapse& planted = {}) {
  AnsweredTask a{.task = planted.task, .metric = "acc", .chance = 0.25, .block_count = 20};
  std::vector<double> accuracy;
  for (int n = 0; n < 20; ++n)
    accuracy.push_back(planted.lower +
                       (planted.upper - planted.lower) /
                           (1 + std::exp((n / 20.0 - planted.centre) / planted.width)));
  const auto rows = plumb::testing::latent_answers(planted.questions, accuracy, 0.7, planted.run);
  for (size_t n = 0; n < accuracy.size(); ++n) {
    a.plans.push_back(
        {planted.strategy, static_cast<int64_t>(n), n == 0 ? "" : text(planted.strategy, " ", n)});
    a.right.emplace_back();
    for (size_t q = 0; q < static_cast<size_t>(planted.questions); ++q)
      a.right.back().push_back(rows[q * accuracy.size() + n]);
  }
  return a;
}

/// Both strategies' plans on the same questions, the whole model's answers being the first's.
inline AnsweredTask joined(AnsweredTask first, const AnsweredTask& second) {
  for (size_t i = 0; i < second.plans.size(); ++i) {
    first.plans.push_back(second.plans[i]);
    first.right.push_back(second.plans[i].n == 0 ? first.right[0] : second.right[i]);
  }
  return first;
}

}  // namespace plumb::harness::testing
