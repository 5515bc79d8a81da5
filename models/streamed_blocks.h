#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "models/block_source.h"
#include "models/formats/checkpoint.h"

namespace plumb::models {

/// Blocks of a checkpoint that does not fit into memory: the one that is in use and the next of `expect`'s order, which
/// a thread reads meanwhile. What was let go of is read over, so that a pass needs memory for two blocks and no new
/// pages; beside them stands the last block where it is pinned, read once.
///
/// The thread reads and decodes serially: the intra-op pool belongs to the caller, which uses it for a block that it has
/// to wait for anyway. What fails in the thread is thrown where the block is asked for.
class StreamedBlocks : public BlockSource {
 public:
  StreamedBlocks(Checkpoint checkpoint, at::ScalarType type, bool pin_last);
  ~StreamedBlocks() override;
  StreamedBlocks(const StreamedBlocks&) = delete;
  StreamedBlocks& operator=(const StreamedBlocks&) = delete;

  int64_t block_count() const override { return checkpoint_.config().block_count; }
  uint64_t block_bytes(int64_t) const override { return block_bytes_; }
  bool keeps(int64_t index) const override { return pin_last_ && index == block_count() - 1; }
  std::shared_ptr<const Block> block(int64_t index) override;
  void expect(std::span<const int64_t> order) override;

  /// Blocks read so far, each as often as it was.
  int64_t blocks_read() const;

 private:
  enum class Ahead { kNone, kReading, kReady, kFailed };
  using Lock = std::unique_lock<std::mutex>;

  void read_ahead();
  std::shared_ptr<Block> read(int64_t index, std::shared_ptr<Block> place) const;
  std::shared_ptr<Block> take(Lock& lock, int64_t index);
  void start_next();

  const Checkpoint checkpoint_;
  const at::ScalarType type_;
  const uint64_t block_bytes_;
  const bool pin_last_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int64_t> order_;  ///< what is still to come, the block that is read ahead included
  std::shared_ptr<Block> pinned_, current_;
  int64_t current_index_ = -1;
  Ahead state_ = Ahead::kNone;
  int64_t ahead_index_ = -1;
  std::shared_ptr<Block> ahead_;  ///< what was read; while it is, before the thread wakes: where to
  std::exception_ptr failure_;
  std::shared_ptr<Block> spare_;  ///< memory that the next block is read to
  int64_t blocks_read_ = 0;
  bool stopping_ = false;
  std::thread reader_;  ///< last: it uses the others
};

}  // namespace plumb::models
