#include "healing/nf4_blocks.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>

#include <bit>
#include <cmath>

#include "base/error.h"
#include "healing/adapter.h"
#include "healing/modules.h"
#include "models/device_tensors.h"
#include "models/kernels/training_rows.h"

namespace plumb::healing {
namespace {

using models::Block;

at::Tensor Block::*matrix_of(Target target) {
  switch (target) {
    case Target::kQuery:
    case Target::kKey:
    case Target::kValue:
    case Target::kQueryKeyValue:
      return &Block::query_key_value;
    case Target::kAttentionOut:
      return &Block::attention_out;
    case Target::kGate:
    case Target::kUp:
      return &Block::gate_up;
    case Target::kDown:
      return &Block::down;
  }
  throw Error(ErrorKind::kInvariant, "no such target");
}

constexpr std::array kMatrices = {&Block::query_key_value, &Block::attention_out, &Block::gate_up,
                                  &Block::down};

std::span<const float> floats(const at::Tensor& matrix) {
  return {matrix.const_data_ptr<float>(), static_cast<size_t>(matrix.numel())};
}

/// Nearest bf16, ties to even; finite values.
float as_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u);
}

/// Rows by kind ([3, heads, ..]) from and to rows by head ([heads, 3, ..]).
at::Tensor by_head(const at::Tensor& rows, int64_t heads) {
  return rows.view({3, heads, -1, rows.size(1)}).transpose(0, 1);
}

}  // namespace

Nf4Blocks::Nf4Blocks(const models::Decoder& exact, at::ScalarType values, at::ScalarType held,
                     const models::ComputeDevice& device)
    : device_(device), values_(values) {
  if (!device.is_cpu()) {
    if (!expands_nf4(device) || held != values)
      throw Error(ErrorKind::kInvariant, "NF4 on a device that does not expand it to that type");
    map_ = at::from_blob(const_cast<float*>(models::dynamic_map().data()), {256}, at::kFloat)
               .to(device.device);
  }
  const models::ModelConfig& config = exact.config();
  for (const Target target : module_targets(config)) {
    const TargetRows rows = target_rows(config, target);
    places_.push_back({matrix_of(target), rows.first, rows.rows, target_name(target)});
  }
  if (has_rows_by_head(config)) heads_by_row_ = config.head_count;
  std::vector<int64_t> order;
  for (int64_t i = 0; i < exact.block_count(); ++i) order.push_back(i);
  exact.expect(order);
  for (int64_t i = 0; i < exact.block_count(); ++i) {
    const auto block = exact.block(i);
    if (open_ == nullptr) {
      open_ = std::make_shared<Block>();
      for (const auto matrix : kMatrices)
        (*open_).*matrix =
            at::empty(((*block).*matrix).sizes(), at::TensorOptions(device.device).dtype(held));
    }
    Stored stored{*block, {}};
    for (const auto matrix : kMatrices) (stored.rest.*matrix).reset();
    if (!device.is_cpu()) stored.rest = models::block_on(device.device, stored.rest);
    for (const Place& place : places_) {
      at::Tensor rows = ((*block).*place.matrix).narrow(0, place.first, place.rows);
      if (heads_by_row_ > 0 && place.matrix == &Block::query_key_value)
        rows = by_head(rows, heads_by_row_).contiguous();
      try {
        stored.modules.push_back(module_of(models::nf4_weights(floats(rows))));
      } catch (const Error& error) {
        throw error.within(text("block ", block->original_index, ", ", place.name));
      }
    }
    blocks_.push_back(std::move(stored));
  }
}

uint64_t Nf4Blocks::block_bytes(int64_t index) const {
  const Stored& stored = blocks_[static_cast<size_t>(index)];
  uint64_t bytes = stored.rest.size_bytes();
  for (const Module& module : stored.modules) bytes += module.bytes;
  return bytes;
}

Nf4Blocks::Module Nf4Blocks::module_of(models::Nf4Weights weights) const {
  Module module;
  module.bytes = weights.size_bytes();
  module.offset = weights.scales.offset;
  if (device_.is_cpu()) {
    module.host = std::move(weights);
    return module;
  }
  const auto up = [&](auto& values, at::ScalarType type) {
    return at::from_blob(values.data(), {std::ssize(values)}, type).to(device_.device);
  };
  module.codes = up(weights.codes, at::kByte);
  module.scale_codes = up(weights.scales.codes, at::kByte);
  module.scales = up(weights.scales.scales, at::kFloat);
  return module;
}

void Nf4Blocks::read_into(const Module& module, const at::Tensor& out) {
  if (device_.is_cpu()) return read_into(module.host, out);
  // A kernel writes 16 bytes at a time; the rows of some matrices begin in between.
  if (reinterpret_cast<uintptr_t>(out.data_ptr()) % 16 == 0) return expand_into(module, out);
  const at::Tensor apart = at::empty(out.sizes(), out.options());
  expand_into(module, apart);
  out.copy_(apart);
}

void Nf4Blocks::expand_into(const Module& module, const at::Tensor& out) const {
  const models::Nf4Matrix matrix{.codes = module.codes.const_data_ptr<uint8_t>(),
                                 .scale_codes = module.scale_codes.const_data_ptr<uint8_t>(),
                                 .scales = module.scales.const_data_ptr<float>(),
                                 .map = map_.const_data_ptr<float>(),
                                 .offset = module.offset,
                                 .rows = out.size(0),
                                 .columns = out.numel() / out.size(0)};
  const auto type =
      out.scalar_type() == at::kFloat ? models::Element::kFp32 : models::Element::kBf16;
  if (const char* why = device_.kernels->nf4_expand(&matrix, out.mutable_data_ptr(), type,
                                                    models::native_stream(out.device())))
    throw Error(ErrorKind::kResource, text("device '", device_.name, "': ", why));
}

/// Into contiguous rows of a buffer, in pieces that stay in a core's cache while they are rounded.
void Nf4Blocks::read_into(const models::Nf4Weights& weights, const at::Tensor& out) {
  std::vector<float> absmax(weights.scales.codes.size());
  models::dequantize_scales(weights.scales, absmax);
  constexpr int64_t kPiece = 128 * models::kNf4Block;
  const models::kernels::TrainingRows& rows = models::kernels::training_kernels().bf16;
  const int64_t count = weights.count;
  const bool held_wide = out.scalar_type() == at::kFloat;
  auto* wide = held_wide ? out.mutable_data_ptr<float>() : nullptr;
  auto* narrow = held_wide ? nullptr : out.mutable_data_ptr<at::BFloat16>();
  at::parallel_for(0, (count + kPiece - 1) / kPiece, 4, [&](int64_t begin, int64_t end) {
    std::vector<float> own(held_wide ? 0 : kPiece);
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * kPiece, size = std::min(kPiece, count - first);
      float* values = held_wide ? wide + first : own.data();
      const std::span<float> to(values, static_cast<size_t>(size));
      models::nf4_dequantize_cpu(
          std::span(weights.codes)
              .subspan(static_cast<size_t>(first / 2),
                       static_cast<size_t>(models::nf4_code_bytes(size))),
          std::span<const float>(absmax).subspan(static_cast<size_t>(first / models::kNf4Block),
                                                 static_cast<size_t>(models::nf4_blocks(size))),
          to);
      if (!held_wide)
        rows.narrow(values, size, narrow + first);
      else if (values_ == at::kBFloat16)
        for (float& value : to) value = as_bf16(value);
    }
  });
}

std::shared_ptr<const Block> Nf4Blocks::block(int64_t index) {
  if (index < 0 || index >= block_count())
    throw Error(ErrorKind::kInvariant,
                text("block ", index, " was asked for, there are ", block_count()));
  if (index == open_index_) return open_;
  open_index_ = -1;
  const Stored& stored = blocks_[static_cast<size_t>(index)];
  Block next = stored.rest;
  for (const auto matrix : kMatrices) next.*matrix = (*open_).*matrix;
  for (size_t m = 0; m < places_.size(); ++m) {
    const Place& place = places_[m];
    const at::Tensor rows = (next.*place.matrix).narrow(0, place.first, place.rows);
    if (heads_by_row_ > 0 && place.matrix == &Block::query_key_value) {
      const at::Tensor ordered = at::empty(by_head(rows, heads_by_row_).sizes(), rows.options());
      read_into(stored.modules[m], ordered);
      by_head(rows, heads_by_row_).copy_(ordered);
    } else {
      read_into(stored.modules[m], rows);
    }
  }
  *open_ = std::move(next);
  open_index_ = index;
  return open_;
}

bool expands_nf4(const models::ComputeDevice& device) {
  return !device.is_cpu() && device.kernels != nullptr && device.kernels->nf4_expand != nullptr;
}

models::Decoder with_nf4_blocks(const models::Decoder& exact, models::Dtype values,
                                models::Dtype held, std::optional<models::Checkpoint> rows,
                                const models::ComputeDevice& device) {
  const at::ScalarType rounded = models::scalar_type(values), type = models::scalar_type(held);
  if (held != values && held != models::Dtype::kFp32)
    throw Error(ErrorKind::kInvariant, "fp32 weights cannot be held as bf16");
  const auto as_held = [&](const at::Tensor& matrix) { return matrix.to(rounded).to(type); };
  models::Head head = exact.head();
  const at::Tensor& whole = exact.embedding();
  const bool tied = whole.defined() && head.unembedding.is_same(whole);
  at::Tensor embedding;
  if (whole.defined()) {
    embedding = as_held(whole);
    rows.reset();
  }
  head.unembedding = tied ? embedding : as_held(head.unembedding);
  if (!device.is_cpu()) head = models::head_on(device.device, head);
  return {exact.config(),
          held,
          embedding,
          std::move(rows),
          std::make_shared<Nf4Blocks>(exact, rounded, type, device),
          std::move(head)};
}

}  // namespace plumb::healing
