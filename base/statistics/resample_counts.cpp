#include "base/statistics/resample_counts.h"

#include <algorithm>
#include <list>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "base/rng.h"
#include "base/statistics/bootstrap.h"

namespace plumb {
namespace {

/// A larger table would cost more memory than its reuse is worth: 64 MiB of 16-bit counts.
constexpr int64_t kLargestTable = int64_t{1} << 25;
constexpr size_t kTablesKept = 4;
/// Draws whose sums stay in the first-level cache while the units go by.
constexpr int64_t kChunk = 1024;

/// counts[unit * draws + draw]: how often the draw picks the unit.
struct Table {
  int64_t units, draws;
  uint64_t seed;
  std::vector<uint16_t> counts;
};

std::shared_ptr<const Table> make_table(int64_t units, int64_t draws, uint64_t seed) {
  auto table = std::make_shared<Table>(Table{units, draws, seed, {}});
  table->counts.resize(static_cast<size_t>(units * draws));
  std::vector<int64_t> picked;
  for (int64_t draw = 0; draw < draws; ++draw) {
    resample(units, seed, static_cast<uint64_t>(draw), picked);
    for (const int64_t unit : picked) ++table->counts[static_cast<size_t>(unit * draws + draw)];
  }
  return table;
}

/// The table from the few used last, or a new one.
std::shared_ptr<const Table> find_table(int64_t units, int64_t draws, uint64_t seed) {
  static std::mutex mutex;
  static std::list<std::shared_ptr<const Table>> kept;
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(kept.begin(), kept.end(), [&](const auto& table) {
    return table->units == units && table->draws == draws && table->seed == seed;
  });
  if (found != kept.end()) {
    kept.splice(kept.begin(), kept, found);
  } else {
    kept.push_front(make_table(units, draws, seed));
    if (kept.size() > kTablesKept) kept.pop_back();
  }
  return kept.front();
}

std::vector<double> sums_from_table(const Table& table, std::span<const double> values) {
  std::vector<double> sums(static_cast<size_t>(table.draws), 0.0);
  for (int64_t begin = 0; begin < table.draws; begin += kChunk) {
    const int64_t length = std::min(kChunk, table.draws - begin);
    double* const sum = sums.data() + begin;
    for (int64_t unit = 0; unit < table.units; ++unit) {
      const double value = values[static_cast<size_t>(unit)];
      const uint16_t* const count = table.counts.data() + unit * table.draws + begin;
      for (int64_t k = 0; k < length; ++k) sum[k] += value * static_cast<double>(count[k]);
    }
  }
  return sums;
}

std::vector<double> sums_one_by_one(std::span<const double> values, int64_t draws, uint64_t seed) {
  std::vector<double> sums(static_cast<size_t>(draws), 0.0);
  std::vector<int64_t> picked;
  for (int64_t draw = 0; draw < draws; ++draw) {
    resample(static_cast<int64_t>(values.size()), seed, static_cast<uint64_t>(draw), picked);
    for (const int64_t unit : picked)
      sums[static_cast<size_t>(draw)] += values[static_cast<size_t>(unit)];
  }
  return sums;
}

}  // namespace

void resample(int64_t n, uint64_t seed, uint64_t draw, std::vector<int64_t>& out) {
  if (n < 1) throw Error(ErrorKind::kInvariant, text("a resample of ", n, " units was asked for"));
  Rng rng(seed, draw);
  out.resize(static_cast<size_t>(n));
  for (int64_t& unit : out) unit = static_cast<int64_t>(rng.below(static_cast<uint64_t>(n)));
}

std::vector<double> resampled_sums(std::span<const double> values, int64_t draws, uint64_t seed) {
  const auto units = static_cast<int64_t>(values.size());
  // A count may be as large as the number of units, and must fit 16 bits.
  if (units > 65535 || units * draws > kLargestTable) return sums_one_by_one(values, draws, seed);
  return sums_from_table(*find_table(units, draws, seed), values);
}

}  // namespace plumb
