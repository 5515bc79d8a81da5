#include "pruning/plan.h"

#include <algorithm>

#include "base/error.h"

namespace plumb::pruning {

std::vector<int64_t> PruningPlan::kept() const {
  std::vector<int64_t> blocks;
  auto next = removed.begin();
  for (int64_t block = 0; block < block_count; ++block) {
    if (next != removed.end() && *next == block)
      ++next;
    else
      blocks.push_back(block);
  }
  return blocks;
}

std::optional<int64_t> PruningPlan::first() const {
  if (removed.empty() || removed.back() - removed.front() + 1 != removed_count()) return {};
  return removed.front();
}

std::string PruningPlan::removed_text() const {
  std::string out;
  for (size_t begin = 0; begin < removed.size();) {
    size_t end = begin + 1;
    while (end < removed.size() && removed[end] == removed[end - 1] + 1) ++end;
    if (!out.empty()) out += ';';
    out += std::to_string(removed[begin]);
    if (end - begin > 1) out += text('-', removed[end - 1]);
    begin = end;
  }
  return out;
}

void validate(const PruningPlan& plan) {
  if (plan.block_count < 1)
    throw Error(ErrorKind::kUsage,
                text("a plan for ", plan.block_count, " blocks; at least 1 is needed"));
  for (size_t i = 0; i < plan.removed.size(); ++i) {
    const int64_t block = plan.removed[i];
    if (block < 0 || block >= plan.block_count)
      throw Error(ErrorKind::kUsage,
                  text("block ", block, " is to be removed; the model has blocks 0..",
                       plan.block_count - 1));
    if (i > 0 && block == plan.removed[i - 1])
      throw Error(ErrorKind::kUsage, text("block ", block, " is to be removed twice"));
    if (i > 0 && block < plan.removed[i - 1])
      throw Error(ErrorKind::kUsage, text("block ", block, " stands after block ",
                                          plan.removed[i - 1], "; ascending order is needed"));
  }
  if (plan.removed_count() >= plan.block_count)
    throw Error(ErrorKind::kUsage, text("all ", plan.block_count,
                                        " blocks are to be removed; at least one must stay"));
}

}  // namespace plumb::pruning
