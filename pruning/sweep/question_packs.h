#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "metrics/tasks/request.h"
#include "models/packing.h"

namespace plumb::pruning {

/// Where one value of a request comes from.
struct PackedValue {
  int64_t request = 0;  ///< of those that were given
  int64_t choice = 0;
  /// kLetters: one state and the letter's id. kLogProbabilities: as many states as the choice has tokens, and these.
  /// States are numbers into QuestionPack::read.
  std::vector<int64_t> states;
  std::vector<int64_t> tokens;
};

/// Questions that are run together: every sequence of ids once, what they share at their beginning once.
struct QuestionPack {
  models::Packing packing;
  std::vector<int64_t> read;  ///< rows whose states are read, ascending
  metrics::Reading reading = metrics::Reading::kLetters;
  std::vector<PackedValue> values;
  int64_t first = 0, count = 0;  ///< requests [first, first + count)
};

/// Consecutive requests in packs of about `rows` rows each, a request at least. A pure function of its arguments, so that
/// a pack is a unit of work that can be done again. Beginnings are shared from `least_shared` ids on: shorter ones would
/// save less than it costs to keep them apart.
///
/// Error{kInvariant} for a request that is generated, has no sequence or no token to be scored; requests of different
/// readings come in different packs.
std::vector<QuestionPack> pack_questions(std::span<const metrics::Request> requests, int64_t rows,
                                         int64_t least_shared = 16);

}  // namespace plumb::pruning
