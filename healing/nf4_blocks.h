#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/block_source.h"
#include "models/compute_device.h"
#include "models/decoder.h"
#include "models/kernels/nf4_quantize.h"

namespace plumb::healing {

/// The blocks of a decoder with every linear module in NF4 with double quantisation: 4.127 bits a weight, the bytes that
/// bitsandbytes makes of the same modules (healing/modules.h: each by itself, rows in Hugging Face's order). block()
/// dequantises into one set of buffers that every block shares; norms and biases stay as they are.
///
/// Weights come back rounded to `values` (bf16, or fp32: not at all) and are held as `held`, which is `values` or fp32: a
/// product of bf16 values in fp32 is exact, and the faster one where the CPU has no AMX.
///
/// On a device whose plug-in expands NF4 (models/device.h), codes and scales are there, and so are the buffers: a block is expanded where
/// it is used. `values` is then also how weights are held. On another device use models::Decoder::on.
///
/// Reads `exact`'s blocks, which are fp32, one after the other when it is made, so that they may be streamed.
/// Error{kInput} naming block and module for a weight that is not finite.
class Nf4Blocks : public models::BlockSource {
 public:
  Nf4Blocks(const models::Decoder& exact, at::ScalarType values, at::ScalarType held,
            const models::ComputeDevice& device = {});

  int64_t block_count() const override { return static_cast<int64_t>(blocks_.size()); }
  uint64_t block_bytes(int64_t index) const override;
  bool keeps(int64_t) const override { return false; }
  std::shared_ptr<const models::Block> block(int64_t index) override;
  void expect(std::span<const int64_t>) override {}

 private:
  /// A module's bytes: on the host, or on a device.
  struct Module {
    models::Nf4Weights host;
    at::Tensor codes, scale_codes, scales;
    float offset = 0;
    uint64_t bytes = 0;
  };
  struct Stored {
    models::Block rest;  ///< without its matrices
    std::vector<Module> modules;
  };
  /// Where a module's rows are in a matrix of models::Block.
  struct Place {
    at::Tensor models::Block::*matrix;
    int64_t first, rows;
    std::string name;
  };
  Module module_of(models::Nf4Weights weights) const;
  void read_into(const Module& module, const at::Tensor& out);
  void read_into(const models::Nf4Weights& weights, const at::Tensor& out);
  void expand_into(const Module& module, const at::Tensor& out) const;

  models::ComputeDevice device_;
  at::Tensor map_;  ///< models::dynamic_map(), on a device alone
  std::vector<Place> places_;
  at::ScalarType values_;
  int64_t heads_by_row_ =
      0;  ///< heads of a fused module whose rows are ordered by head; 0: none is
  std::vector<Stored> blocks_;
  std::shared_ptr<models::Block> open_;  ///< the block whose weights the buffers hold
  int64_t open_index_ = -1;
};

/// A decoder over Nf4Blocks of `exact` (fp32), with `exact`'s embedding and head rounded to `values` and held as `held`. An
/// embedding that `exact` does not hold (Decoder::stream) is read by rows from `rows`, and not rounded.
models::Decoder with_nf4_blocks(const models::Decoder& exact, models::Dtype values,
                                models::Dtype held, std::optional<models::Checkpoint> rows = {},
                                const models::ComputeDevice& device = {});

/// Whether Nf4Blocks can be on that device.
bool expands_nf4(const models::ComputeDevice& device);

}  // namespace plumb::healing
