#include "harness/healing/device_group.h"

#include <ATen/ops/empty.h>

#include <exception>

#include "base/error.h"

namespace plumb::harness {

DeviceGroup::DeviceGroup(const Processes& processes, const models::ComputeDevice& device,
                         const models::CollectiveTable& table)
    : on_host_(processes), device_(device.name), table_(table) {
  std::array<unsigned char, models::kGroupIdBytes> id{};
  if (processes.is_first()) require(table_.make_id(id.data()));
  processes.broadcast(id.data(), id.size());
  require(table_.open(id.data(), processes.rank(), processes.count(), &group_));
}

DeviceGroup::~DeviceGroup() {
  // It would wait for ranks that a failure has ended.
  if (group_ != nullptr && std::uncaught_exceptions() == 0) table_.close(group_);
}

void DeviceGroup::require(const char* why) const {
  if (why != nullptr)
    throw Error(ErrorKind::kResource,
                text("device '", device_, "' by ", table_.library, ": ", why));
}

at::Tensor DeviceGroup::exchange(const at::Tensor& values) const {
  if (values.is_cpu() || values.scalar_type() != at::kFloat) return on_host_.exchange(values);
  const at::Tensor send = values.contiguous();
  const at::Tensor received = at::empty(send.sizes(), send.options());
  require(table_.exchange(group_, send.const_data_ptr<float>(), received.mutable_data_ptr<float>(),
                          send.numel() / count(), models::native_stream(send.device())));
  return received;
}

at::Tensor DeviceGroup::gather(const at::Tensor& values) const {
  if (values.is_cpu() || values.scalar_type() != at::kFloat) return on_host_.gather(values);
  const at::Tensor send = values.contiguous();
  const at::Tensor received = at::empty({count(), send.numel()}, send.options());
  require(table_.gather(group_, send.const_data_ptr<float>(), received.mutable_data_ptr<float>(),
                        send.numel(), models::native_stream(send.device())));
  return received;
}

std::unique_ptr<healing::TrainingGroup> training_group(const Processes& processes,
                                                       const models::ComputeDevice& device) {
  const models::CollectiveTable* table =
      device.kernels != nullptr ? models::collectives_of(*device.kernels) : nullptr;
  // All take the same way.
  const int32_t mine = table != nullptr ? 1 : 0;
  for (const int32_t has : processes.gather(std::span(&mine, 1)))
    if (has == 0) return std::make_unique<HealingGroup>(processes);
  return std::make_unique<DeviceGroup>(processes, device, *table);
}

}  // namespace plumb::harness
