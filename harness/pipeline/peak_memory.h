#pragma once

namespace plumb::harness {

/// While it lives, every tensor of 64 KiB or more has pages of its own, which go back to the system with it: what the
/// heap would keep of the buffers that loading needs depends on their order, not on the model.
class MappedTensors {
 public:
  MappedTensors();
  ~MappedTensors();
  MappedTensors(const MappedTensors&) = delete;
  MappedTensors& operator=(const MappedTensors&) = delete;
};

/// Lets this process' peak start again from what is resident now; false where the system does not allow it.
bool reset_peak();

}  // namespace plumb::harness
