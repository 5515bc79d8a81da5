#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "models/architecture.h"
#include "models/config.h"
#include "models/formats/gguf.h"
#include "models/formats/tensor_index.h"

namespace plumb::models {

/// A model on disk: a GGUF file or a folder with config.json and safetensors (single file or sharded by
/// model.safetensors.index.json). Opening it reads the headers and checks every field against the files' sizes; no
/// weight is read.
///
/// Errors: Error{kInput} for whatever is wrong with the bytes (what was found, what was needed, what to do), for a
/// pickle (.bin, .pt, .ckpt) and for an unknown architecture. Thread rule: const methods may run concurrently.
class Checkpoint {
 public:
  static Checkpoint open(const std::filesystem::path& path);

  const ModelConfig& config() const;
  const Architecture& architecture() const;
  const std::vector<std::filesystem::path>& files() const;
  const TensorEntries& tensors() const;
  bool is_gguf() const { return gguf_header() != nullptr; }
  /// A GGUF file's metadata, parsed once, without its tensors; nullptr for a folder. Lives as long as the checkpoint.
  const GgufHeader* gguf_header() const;

  /// The entry of a role (of block `block` where the role has one), or none where the file has no such tensor.
  std::optional<TensorEntry> find(Role role, int64_t block = -1) const;

  /// The role's tensor, decoded to fp32 or bf16 (`dtype` at::kFloat or at::kBFloat16), contiguous, with the shape that
  /// the config demands and GGUF's permutation of q and k rows undone. Quantised values are decoded in fp32 exactly as
  /// ggml's reference does, then rounded once for bf16. Error{kInput} naming the tensor when it is missing, has another
  /// shape, or holds a NaN or an infinity (with the count and the first index).
  at::Tensor load(Role role, int64_t block, at::ScalarType dtype) const;

  /// The same into `out`, contiguous, at::kFloat or at::kBFloat16, with as many values: where memory is used again.
  void load_into(Role role, int64_t block, const at::Tensor& out) const;

  /// Rows [first, first + count) of the same, [count, columns]; a vector is one row. For tensors that are too large to be
  /// held whole. Error{kInvariant} for rows that are not there, and where q and k rows are un-permuted for anything but
  /// whole heads.
  at::Tensor load_rows(Role role, int64_t block, int64_t first, int64_t count,
                       at::ScalarType dtype) const;

  /// The bytes on disk as a tensor of the stored dtype (F32, F16, BF16 only), for copying bit for bit.
  at::Tensor load_stored(const TensorEntry& entry) const;

  /// Bytes of the tensor's storage from `first` on into `out`, as they are. Error{kInvariant} for bytes that it has not.
  void read_stored(const TensorEntry& entry, uint64_t first, std::span<std::byte> out) const;

  /// Of one file its sha256, of several the sha256 of theirs, a line each, in the order of `files()`; lower-case hex.
  /// Shards are so hashed by themselves, each once while it stays as it is (base/remembered_hash.h). A
  /// second caller waits for the first. Error{kResource} soon after `stop` was requested; asked again, it is made again.
  const std::string& sha256(const std::stop_token& stop = {}) const;

  /// GGUF metadata or tokenizer files for `tokenizer/`; see there.
  class Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Checkpoint(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace plumb::models
