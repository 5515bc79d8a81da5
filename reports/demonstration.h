#pragma once

#include "reports/report.h"

namespace plumb::reports {

/// A report as a run makes it, of invented but lifelike numbers and marked as such: 30 blocks, 465
/// distances, two strategies and two baselines at 29 depths, cost against prediction, one verdict
/// of each kind. For tests and to look at.
Report demonstration();

/// What an enemy would call a model: markup, quotes, controls, line separators, reordering, bytes
/// that are not UTF-8.
inline const std::string kHostile =
    "<script>alert(1)</script>\"'&|]]>\x01\x1b[31m\x7f\xE2\x80\xA8\xE2\x80\xAE"
    "drow\xFF\xC0\xAF\xED\xA0\x80 end";

}  // namespace plumb::reports
