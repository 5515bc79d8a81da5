#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/block.h"

namespace plumb::models {

/// Where a decoder's blocks come from: memory, a file that is read one ahead, a device. Shared by a decoder, its copies
/// and what is pruned from it; indices are those of the source, whatever a decoder keeps of them.
///
/// Thread rule: one thread at a time.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  virtual int64_t block_count() const = 0;
  /// Weights of the block when it is held.
  virtual uint64_t block_bytes(int64_t index) const = 0;
  /// Whether the block stays in memory once it was got: block() is then as good as free at any time. Of one that does
  /// not, a walk does all the work before it asks for another: its outer loop is over blocks.
  virtual bool keeps(int64_t index) const = 0;

  /// The block, got where it isn't held; it lives at least as long as the pointer. Who asks for another has let go of
  /// the one before: a source counts on that for what it holds at most. Errors of reading, as Checkpoint::load.
  virtual std::shared_ptr<const Block> block(int64_t index) = 0;

  /// What block() will be asked for from now on, in order, until the next expect(); a block that comes several times in
  /// a row is listed once. Getting the first may begin at once. Asking for another all the same is right, and slow.
  virtual void expect(std::span<const int64_t> order) = 0;
};

/// Blocks that are all in memory.
class ResidentBlocks : public BlockSource {
 public:
  explicit ResidentBlocks(std::vector<Block> blocks);
  int64_t block_count() const override { return static_cast<int64_t>(blocks_.size()); }
  uint64_t block_bytes(int64_t index) const override;
  bool keeps(int64_t) const override { return true; }
  /// Error{kInvariant} for an index that is not there.
  std::shared_ptr<const Block> block(int64_t index) override;
  void expect(std::span<const int64_t>) override {}

 private:
  std::vector<std::shared_ptr<const Block>> blocks_;
};

}  // namespace plumb::models
