#include "models/device_tensors.h"

namespace plumb::models {

Block block_on(at::Device device, const Block& block) {
  Block out = block;
  for (const auto member : kBlockTensors)
    if (at::Tensor& tensor = out.*member; tensor.defined()) tensor = tensor.to(device);
  return out;
}

Head head_on(at::Device device, const Head& head) {
  Head out = head;
  for (at::Tensor* tensor : {&out.norm, &out.unembedding, &out.norm_bias, &out.unembedding_bias})
    if (tensor->defined()) *tensor = tensor->to(device);
  return out;
}

}  // namespace plumb::models
