#pragma once

#include <nlohmann/json.hpp>

#include "harness/answers/comparison.h"

namespace plumb::harness {

/// {a, b, margin, level, comparisons}: every number of every comparison, null where there is none.
nlohmann::ordered_json comparisons_json(const std::vector<Comparison>& comparisons,
                                        const AnswerLog& a, const AnswerLog& b,
                                        const CompareOptions& options);

/// compare.csv: a row for each comparison; numbers are empty where it could not be made.
std::string comparisons_csv(const std::vector<Comparison>& comparisons);

}  // namespace plumb::harness
