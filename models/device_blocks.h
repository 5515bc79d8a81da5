#pragma once

#include <c10/core/Event.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "models/block_source.h"

namespace plumb::models {

/// The blocks of another source, on a device. As many as fit into `memory_bytes` are copied once and stay; the others
/// pass through two places of that memory, the next one while the device works on the one before:
///
///     a thread of the host   takes block i + 1 from the source, which may read it from a file meanwhile
///     the copying stream     waits until what used the place is done, copies, records "ready"
///     the computing stream   waits for "ready", computes; when its block is let go of, "done" is recorded on it
///
/// The computing stream is the current one of the thread that calls block(). What stays is spread evenly over the
/// blocks, so that copying goes on while they are used.
///
/// `host` belongs to this source from now on, and is let go of when every block stays. Thread rule: as BlockSource.
/// Errors: Error{kResource} from the constructor when neither all blocks nor two places fit; what reading and copying
/// throw comes out of block().
class DeviceBlocks : public BlockSource {
 public:
  DeviceBlocks(std::shared_ptr<BlockSource> host, c10::Device device, uint64_t memory_bytes);
  ~DeviceBlocks() override;
  DeviceBlocks(const DeviceBlocks&) = delete;
  DeviceBlocks& operator=(const DeviceBlocks&) = delete;

  int64_t block_count() const override { return static_cast<int64_t>(kept_.size()); }
  uint64_t block_bytes(int64_t index) const override {
    return bytes_.at(static_cast<size_t>(index));
  }
  bool keeps(int64_t index) const override { return kept_.at(static_cast<size_t>(index)); }
  std::shared_ptr<const Block> block(int64_t index) override;
  void expect(std::span<const int64_t> order) override;

 private:
  enum class State { kFree, kFilling, kReady, kInUse, kFailed };
  struct Place {
    explicit Place(c10::DeviceType type) : ready(type), done(type) {}
    State state = State::kFree;
    int64_t index = -1;
    std::shared_ptr<Block> block;
    c10::Event ready;  ///< the copy is there
    c10::Event done;   ///< what used the place before has finished
  };
  using Lock = std::unique_lock<std::mutex>;

  void choose_kept(uint64_t memory_bytes);
  void keep_blocks();
  void let_go();
  void copy_ahead();
  void fill(Place& place, int64_t index);

  std::shared_ptr<BlockSource> host_;
  const c10::Device device_;
  const c10::Stream copying_;
  std::vector<bool> kept_;
  std::vector<uint64_t> bytes_;
  std::vector<std::shared_ptr<const Block>> blocks_;  ///< those that stay

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int64_t> order_;  ///< what is to be copied yet
  bool told_ = true;           ///< whether the source knows order_
  std::array<std::unique_ptr<Place>, 2> places_;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread copier_;  ///< last: it uses the others
};

}  // namespace plumb::models
