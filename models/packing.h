#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumb::models {

/// Sequences of tokens in consecutive rows, without padding. A sequence may continue another one, and many the same one:
/// questions behind their common examples, answers behind their question. What they share is there, and computed, once.
///
/// A row's state depends on its sequence and on what that continues, whatever else is packed with it; on the CPU it has
/// the bits of a run of those tokens alone.
struct Packing {
  struct Sequence {
    int64_t first, count;  ///< rows
    int64_t position;      ///< of its first token
    int64_t parent;        ///< what it continues; -1: nothing
  };
  std::vector<int64_t> tokens;     ///< [N]
  std::vector<int64_t> positions;  ///< [N]
  std::vector<Sequence> sequences;

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  /// Positions of the longest sequence with what it continues.
  int64_t longest() const;
  /// Its number. A sequence is packed soon after its parent where it can be: threads take neighbours together.
  /// Error{kInvariant} for no tokens, or a parent that is not there.
  int64_t add(std::span<const int32_t> ids, int64_t parent = -1);
  /// Row of the last token.
  int64_t last_row(int64_t sequence) const;
};

}  // namespace plumb::models
