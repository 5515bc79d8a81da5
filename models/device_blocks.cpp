#include "models/device_blocks.h"

#include <ATen/ops/empty_like.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "models/device_tensors.h"

namespace plumb::models {

namespace {

c10::Stream current_stream(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

}  // namespace

DeviceBlocks::DeviceBlocks(std::shared_ptr<BlockSource> host, c10::Device device,
                           uint64_t memory_bytes)
    : host_(std::move(host)),
      device_(device),
      copying_(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)),
      kept_(static_cast<size_t>(host_->block_count())),
      blocks_(kept_.size()) {
  for (int64_t i = 0; i < host_->block_count(); ++i) bytes_.push_back(host_->block_bytes(i));
  choose_kept(memory_bytes);
  const bool all = std::find(kept_.begin(), kept_.end(), false) == kept_.end();
  keep_blocks();
  if (all) {
    host_.reset();
    return;
  }
  for (auto& place : places_) place = std::make_unique<Place>(device.type());
  copier_ = std::thread([this] { copy_ahead(); });
}

DeviceBlocks::~DeviceBlocks() {
  if (!copier_.joinable()) return;
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  copier_.join();
  // The places were allocated on the copying stream, and go back to it: what still computes comes first.
  try {
    for (auto& place : places_) {
      place->done.record(current_stream(device_));
      place->done.block(copying_);
    }
  } catch (const c10::Error&) {
    // The device is lost: nothing will be copied any more.
  }
}

void DeviceBlocks::choose_kept(uint64_t memory_bytes) {
  uint64_t sum = 0, largest = 0;
  for (const uint64_t bytes : bytes_) {
    sum += bytes;
    largest = std::max(largest, bytes);
  }
  if (sum <= memory_bytes) {
    kept_.assign(kept_.size(), true);
    return;
  }
  if (memory_bytes < 2 * largest)
    throw Error(
        ErrorKind::kResource,
        text("the device has ", memory_bytes, " bytes for blocks, needed at least two of them, ",
             2 * largest, " bytes: raise --memory-limit, or take fewer --documents-per-step"));
  const uint64_t count = kept_.size(), fit = (memory_bytes - 2 * largest) / largest;
  for (uint64_t i = 0; i < count; ++i) kept_[i] = (i + 1) * fit / count > i * fit / count;
}

void DeviceBlocks::keep_blocks() {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < block_count(); ++i)
    if (keeps(i)) order.push_back(i);
  host_->expect(order);
  for (const int64_t i : order)
    blocks_[static_cast<size_t>(i)] =
        std::make_shared<const Block>(block_on(device_, *host_->block(i)));
}

/// The block in use has been let go of, and all work on it has been issued: its place is free once that is done.
void DeviceBlocks::let_go() {
  for (auto& place : places_)
    if (place->state == State::kInUse) {
      place->done.record(current_stream(device_));
      place->state = State::kFree;
    }
  changed_.notify_all();
}

std::shared_ptr<const Block> DeviceBlocks::block(int64_t index) {
  if (index < 0 || index >= block_count())
    throw Error(ErrorKind::kInvariant, text("block ", index, " of ", block_count()));
  if (keeps(index)) return blocks_[static_cast<size_t>(index)];
  Lock lock(mutex_);
  for (auto& place : places_)
    if (place->state == State::kInUse && place->index == index) return place->block;
  let_go();
  const auto find = [&](State state) {
    return std::find_if(places_.begin(), places_.end(), [&](const auto& place) {
      return place->state == state && place->index == index;
    });
  };
  const bool comes = find(State::kReady) != places_.end() ||
                     find(State::kFilling) != places_.end() ||
                     std::find(order_.begin(), order_.end(), index) != order_.end();
  if (!comes) {
    order_.assign(1, index);
    told_ = false;
  }
  // What was copied for nothing makes way.
  while (find(State::kReady) == places_.end()) {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    for (auto& place : places_)
      if (place->state == State::kReady) place->state = State::kFree;
    changed_.notify_all();
    changed_.wait(lock);
  }
  Place& place = **find(State::kReady);
  place.ready.block(current_stream(device_));
  place.state = State::kInUse;
  return place.block;
}

void DeviceBlocks::expect(std::span<const int64_t> order) {
  if (!copier_.joinable()) return;
  const Lock lock(mutex_);
  order_.clear();
  for (const int64_t index : order)
    if (!keeps(index)) order_.push_back(index);
  // A copy that is there or on its way is the first one's.
  for (const auto& place : places_) {
    const bool comes = place->state == State::kReady || place->state == State::kFilling;
    if (comes && !order_.empty() && place->index == order_.front()) order_.pop_front();
  }
  told_ = false;
  changed_.notify_all();
}

/// The thread's life. It alone uses the source.
void DeviceBlocks::copy_ahead() {
  const c10::InferenceMode no_autograd;
  const c10::StreamGuard on(copying_);
  Lock lock(mutex_);
  while (!stopping_) {
    const auto free = std::find_if(places_.begin(), places_.end(),
                                   [](const auto& p) { return p->state == State::kFree; });
    if (free == places_.end() || order_.empty() || failure_) {
      changed_.wait(lock);
      continue;
    }
    Place& place = **free;
    const std::vector<int64_t> order(order_.begin(), order_.end());
    const bool tell = !std::exchange(told_, true);
    order_.pop_front();
    place.index = order.front();
    place.state = State::kFilling;
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (tell) host_->expect(order);
      fill(place, order.front());
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    place.state = failure ? State::kFree : State::kReady;
    if (failure) failure_ = failure;
    changed_.notify_all();
  }
}

void DeviceBlocks::fill(Place& place, int64_t index) {
  const std::shared_ptr<const Block> from = host_->block(index);
  if (!place.block) place.block = std::make_shared<Block>();
  place.block->original_index = from->original_index;
  place.done.block(copying_);
  for (const auto member : kBlockTensors) {
    const at::Tensor& source = (*from).*member;
    at::Tensor& target = (*place.block).*member;
    if (!source.defined()) continue;
    if (!target.defined() || target.sizes() != source.sizes())
      target = at::empty_like(source, source.options().device(device_));
    target.copy_(source, /*non_blocking=*/true);
  }
  place.ready.record(copying_);
  // The source may read over `from` once it is let go of.
  place.ready.synchronize();
}

}  // namespace plumb::models
