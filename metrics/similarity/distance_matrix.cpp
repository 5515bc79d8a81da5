#include "metrics/similarity/distance_matrix.h"

#include <numeric>
#include <utility>

#include "base/error.h"

namespace plumb::metrics {

DistanceMatrix::DistanceMatrix(int64_t block_count, int64_t document_count)
    : block_count_(block_count), document_count_(document_count) {
  if (block_count < 1 || document_count < 1)
    throw Error(ErrorKind::kInvariant,
                text("a distance matrix of ", block_count, " blocks and ", document_count,
                     " documents was asked for; at least one of each is needed"));
  values_.resize(static_cast<size_t>(pair_count() * document_count));
}

size_t DistanceMatrix::offset(int64_t n, int64_t l) const {
  if (n < 1 || n > block_count_ || l < 0 || l > block_count_ - n)
    throw Error(ErrorKind::kInvariant,
                text("the distance of n = ", n, ", l = ", l, " was asked for; with ", block_count_,
                     " blocks n is in 1..L and l in 0..L-n"));
  // Rows 1..n-1 hold L, L-1, .. L-n+2 pairs.
  const int64_t pair = (n - 1) * block_count_ - (n - 1) * (n - 2) / 2 + l;
  return static_cast<size_t>(pair * document_count_);
}

std::span<const double> DistanceMatrix::values(int64_t n, int64_t l) const {
  return std::span(values_).subspan(offset(n, l), static_cast<size_t>(document_count_));
}

double DistanceMatrix::at(int64_t n, int64_t l, int64_t document) const {
  if (document < 0 || document >= document_count_)
    throw Error(ErrorKind::kInvariant, text("the distance of document ", document,
                                            " was asked for; there are ", document_count_));
  return values_[offset(n, l) + static_cast<size_t>(document)];
}

double& DistanceMatrix::at(int64_t n, int64_t l, int64_t document) {
  std::as_const(*this).at(n, l, document);  // checks the indices
  return values_[offset(n, l) + static_cast<size_t>(document)];
}

std::vector<double> DistanceMatrix::samples(int64_t n, int64_t l) const {
  const auto all = values(n, l);
  return {all.begin(), all.end()};
}

double DistanceMatrix::mean(int64_t n, int64_t l) const {
  const auto all = values(n, l);
  return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(document_count_);
}

int64_t DistanceMatrix::best_start(int64_t n) const {
  int64_t best = 0;
  double least = mean(n, 0);
  for (int64_t l = 1; l <= block_count_ - n; ++l) {
    const double distance = mean(n, l);
    if (distance < least) {
      least = distance;
      best = l;
    }
  }
  return best;
}

}  // namespace plumb::metrics
