#include "models/block_source.h"

#include <utility>

#include "base/error.h"

namespace plumb::models {

ResidentBlocks::ResidentBlocks(std::vector<Block> blocks) {
  blocks_.reserve(blocks.size());
  for (Block& block : blocks) blocks_.push_back(std::make_shared<const Block>(std::move(block)));
}

uint64_t ResidentBlocks::block_bytes(int64_t index) const {
  return blocks_.at(static_cast<size_t>(index))->size_bytes();
}

std::shared_ptr<const Block> ResidentBlocks::block(int64_t index) {
  if (index < 0 || index >= block_count())
    throw Error(ErrorKind::kInvariant, text("block ", index, " of ", block_count()));
  return blocks_[static_cast<size_t>(index)];
}

}  // namespace plumb::models
