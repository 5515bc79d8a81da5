#pragma once

#include <array>

#include "harness/healing/healing_group.h"
#include "models/collectives.h"
#include "models/compute_device.h"

namespace plumb::harness {

/// Ranks that train together on a device each, whose plug-in moves the tensors there (NCCL on CUDA). What is on the host goes by
/// MPI. All make it at the same time. Error{kResource} with the device's own words.
class DeviceGroup : public healing::TrainingGroup {
 public:
  DeviceGroup(const Processes& processes, const models::ComputeDevice& device,
              const models::CollectiveTable& table);
  ~DeviceGroup() override;
  DeviceGroup(const DeviceGroup&) = delete;
  DeviceGroup& operator=(const DeviceGroup&) = delete;

  int64_t rank() const override { return on_host_.rank(); }
  int64_t count() const override { return on_host_.count(); }
  std::string library() const override { return table_.library; }
  at::Tensor exchange(const at::Tensor& values) const override;
  at::Tensor gather(const at::Tensor& values) const override;

 private:
  void require(const char* why) const;

  HealingGroup on_host_;
  std::string device_;
  const models::CollectiveTable& table_;
  void* group_ = nullptr;
};

/// By the device's plug-in where that can and there is one for each rank, else by the host.
std::unique_ptr<healing::TrainingGroup> training_group(const Processes& processes,
                                                       const models::ComputeDevice& device);

}  // namespace plumb::harness
