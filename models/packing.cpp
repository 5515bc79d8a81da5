#include "models/packing.h"

#include <algorithm>

#include "base/error.h"

namespace plumb::models {

int64_t Packing::longest() const {
  int64_t most = 0;
  for (const Sequence& s : sequences) most = std::max(most, s.position + s.count);
  return most;
}

int64_t Packing::add(std::span<const int32_t> ids, int64_t parent) {
  const auto number = static_cast<int64_t>(sequences.size());
  if (ids.empty() || parent < -1 || parent >= number)
    throw Error(ErrorKind::kInvariant, text("sequence ", number, " of ", ids.size(),
                                            " tokens continues sequence ", parent));
  Sequence s{rows(), static_cast<int64_t>(ids.size()), 0, parent};
  if (parent >= 0) {
    const Sequence& before = sequences[static_cast<size_t>(parent)];
    s.position = before.position + before.count;
  }
  for (int64_t i = 0; i < s.count; ++i) {
    tokens.push_back(ids[static_cast<size_t>(i)]);
    positions.push_back(s.position + i);
  }
  sequences.push_back(s);
  return number;
}

int64_t Packing::last_row(int64_t sequence) const {
  const Sequence& s = sequences.at(static_cast<size_t>(sequence));
  return s.first + s.count - 1;
}

}  // namespace plumb::models
