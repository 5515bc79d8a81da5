#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plumb::metrics {

/// Angular distances d(n, l) between x^(l) and x^(l+n) of each document at its last token, for
/// every n = 1..L and l = 0..L-n. L is the number of blocks. Unit: half turns.
class DistanceMatrix {
 public:
  /// All zero. Error{kInvariant} unless both counts are at least 1.
  DistanceMatrix(int64_t block_count, int64_t document_count);

  int64_t block_count() const { return block_count_; }
  int64_t document_count() const { return document_count_; }
  int64_t pair_count() const { return block_count_ * (block_count_ + 1) / 2; }

  /// The value of one document; n in 1..L, l in 0..L-n. Error{kInvariant} outside.
  double& at(int64_t n, int64_t l, int64_t document);
  double at(int64_t n, int64_t l, int64_t document) const;
  /// All documents' values of a pair, [N]; the view lives as long as the matrix.
  std::span<const double> values(int64_t n, int64_t l) const;
  std::vector<double> samples(int64_t n, int64_t l) const;
  /// Sum in the documents' order, divided by their number.
  double mean(int64_t n, int64_t l) const;

  /// Smallest l in 0..L-n with the least mean.
  int64_t best_start(int64_t n) const;

 private:
  size_t offset(int64_t n, int64_t l) const;
  int64_t block_count_;
  int64_t document_count_;
  std::vector<double> values_;  ///< [pair, N], pairs ordered by n, then l
};

/// What one pass over the calibration documents gives.
struct Profile {
  DistanceMatrix before_norm;  ///< x^(L) before the final norm
  /// [n - 1][document]: pairs with l + n = L, x^(L) after the final norm.
  std::vector<std::vector<double>> after_norm;
  /// [L]: 1 - mean cosine of a block's input and output over all positions of all documents.
  std::vector<double> block_influence;
};

}  // namespace plumb::metrics
