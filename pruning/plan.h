#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plumb::pruning {

/// Which blocks of a decoder of `block_count` blocks go.
struct PruningPlan {
  int64_t block_count = 0;
  std::vector<int64_t> removed;  ///< ascending, 0-based, no duplicates, at least one block stays
  /// Who chose: "similarity", "simple", "random", "block-influence" or "explicit", also for n = 0,
  /// where all strategies' plans are equal.
  std::string strategy;
  std::string evidence;  ///< for people: what the choice rests on

  int64_t removed_count() const { return static_cast<int64_t>(removed.size()); }  ///< n
  std::vector<int64_t> kept() const;
  /// The first removed block where the removed ones are contiguous; none where they are not, or n =
  /// 0.
  std::optional<int64_t> first() const;
  /// "12-18", "3;7-9" (inclusive), "" for n = 0: the CSVs' last column.
  std::string removed_text() const;
};

/// Error{kUsage} naming the value: indices out of range, out of order, repeated, or nothing left.
void validate(const PruningPlan& plan);

/// "3,7-9" or "3;7-9" (inclusive, any order) -> {3, 7, 8, 9}. Error{kUsage} with the part that
/// could not be read, for a block named twice, and for an empty list.
std::vector<int64_t> parse_block_list(const std::string& list);

/// "0-28", "0-28:2", "1,2,4-8" -> the values of n, ascending, each once. Error{kUsage} as above.
std::vector<int64_t> parse_range_list(const std::string& list);

}  // namespace plumb::pruning
