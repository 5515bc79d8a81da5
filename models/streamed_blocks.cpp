#include "models/streamed_blocks.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "models/block_load.h"

namespace plumb::models {

StreamedBlocks::StreamedBlocks(Checkpoint checkpoint, at::ScalarType type, bool pin_last)
    : checkpoint_(std::move(checkpoint)),
      type_(type),
      block_bytes_(block_bytes_of(checkpoint_.config(), type)),
      pin_last_(pin_last),
      reader_([this] { read_ahead(); }) {}

StreamedBlocks::~StreamedBlocks() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  reader_.join();
}

int64_t StreamedBlocks::blocks_read() const {
  const Lock lock(mutex_);
  return blocks_read_;
}

std::shared_ptr<Block> StreamedBlocks::read(int64_t index, std::shared_ptr<Block> place) const {
  if (!place) place = std::make_shared<Block>();
  try {
    *place = load_block(checkpoint_, index, type_, std::exchange(*place, {}));
    require_block(*place, checkpoint_.config(), type_);
  } catch (const Error& error) {
    throw error.within(text("block ", index));
  }
  return place;
}

void StreamedBlocks::read_ahead() {
  // A team of this thread's own would fight with the caller's for the cores. libtorch sets a thread's number when it is
  // first asked for it, so it is asked before.
  at::get_num_threads();
  omp_set_num_threads(1);
  Lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || state_ == Ahead::kReading; });
    if (stopping_) return;
    const int64_t index = ahead_index_;
    std::shared_ptr<Block> place = std::move(ahead_);
    lock.unlock();
    std::exception_ptr failure;
    try {
      place = read(index, std::move(place));
    } catch (...) {
      failure = std::current_exception();
      place.reset();
    }
    lock.lock();
    ++blocks_read_;
    ahead_ = std::move(place);
    failure_ = failure;
    state_ = failure ? Ahead::kFailed : Ahead::kReady;
    changed_.notify_all();
  }
}

/// Lets the thread begin with the next block that isn't there, if it is idle. Its memory is set aside here: the caller may
/// let go of another block before the thread wakes.
void StreamedBlocks::start_next() {
  while (!order_.empty() && (order_.front() == current_index_ || keeps(order_.front())))
    order_.pop_front();
  if (state_ != Ahead::kNone || order_.empty()) return;
  ahead_index_ = order_.front();
  ahead_ = std::exchange(spare_, nullptr);
  state_ = Ahead::kReading;
  changed_.notify_all();
}

void StreamedBlocks::expect(std::span<const int64_t> order) {
  const Lock lock(mutex_);
  order_.assign(order.begin(), order.end());
  start_next();
}

std::shared_ptr<const Block> StreamedBlocks::block(int64_t index) {
  if (index < 0 || index >= block_count())
    throw Error(ErrorKind::kInvariant, text("block ", index, " of ", block_count()));
  Lock lock(mutex_);
  if (keeps(index)) {
    if (!pinned_) {
      pinned_ = read(index, nullptr);
      ++blocks_read_;
    }
    return pinned_;
  }
  if (current_index_ == index) return current_;
  current_index_ = -1;
  if (current_.use_count() == 1 && !spare_) spare_ = std::move(current_);
  current_.reset();
  current_ = take(lock, index);
  current_index_ = index;
  start_next();
  return current_;
}

/// The block that is read ahead, when it is `index`; otherwise it is let go of, and `index` is read here.
std::shared_ptr<Block> StreamedBlocks::take(Lock& lock, int64_t index) {
  changed_.wait(lock, [&] { return state_ != Ahead::kReading; });
  const Ahead state = std::exchange(state_, Ahead::kNone);
  std::shared_ptr<Block> found = std::move(ahead_);
  const std::exception_ptr failure = std::exchange(failure_, nullptr);
  if (state == Ahead::kFailed && ahead_index_ == index) std::rethrow_exception(failure);
  if (state != Ahead::kReady || ahead_index_ != index) {
    std::shared_ptr<Block> place = found ? std::move(found) : std::exchange(spare_, nullptr);
    found = read(index, std::move(place));
    ++blocks_read_;
  }
  const auto here = std::find(order_.begin(), order_.end(), index);
  if (here != order_.end()) order_.erase(order_.begin(), here + 1);
  return found;
}

}  // namespace plumb::models
