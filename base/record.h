#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace plumb {

/// A value, or none (`std::monostate`): then the record says why.
using Value = std::variant<std::monostate, int64_t, double, std::string, bool>;

/// A confidence interval; `method` names how it was made, such as "BCa by document, 10000 draws,
/// seed 0".
struct Interval {
  double low = 0;
  double high = 0;
  double level = 0.95;
  std::string method;
};

/// One coordinate of a record: {"strategy", "similarity"}, {"n", 7}.
struct Dimension {
  std::string name;
  Value value;
};

/// One measured number with all that a reader needs to judge it. What every stage emits and every
/// report shows: `reports` knows no metric, so a new metric needs no change there.
///
/// Names are lower case words joined by '_' or '.', such as "loss_nats" and "weights.bytes"; the
/// unit is never part of a decision, only shown ("nats", "bytes", "ms", "half turns", "1" for a
/// plain number).
struct Record {
  std::string name = {};
  std::vector<Dimension> dimensions = {};  ///< in the order in which a reader would sort
  Value value = {};
  std::string absent_reason = {};  ///< not empty if and only if `value` is none
  std::string unit = {};
  std::optional<Interval> interval = {};
  std::vector<double> samples =
      {};  ///< raw values, or empty where `samples_file` names the file that has them
  std::string samples_file = {};  ///< relative to the run folder
  std::optional<bool> higher_is_better = {};
  std::vector<std::pair<std::string, std::string>> provenance = {};
};

}  // namespace plumb
