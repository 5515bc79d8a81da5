// Decoder on packed sequences.

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "base/error.h"
#include "models/aten_block.h"
#include "models/decoder.h"
#include "models/panel_block.h"

namespace plumb::models {
namespace {

/// Queries that a thread takes together: the keys of what they all continue are laid out once for them.
constexpr int64_t kRunRows = 1024;

void require_packing(const Decoder& d, const Packing& packing, const at::Tensor& x,
                     const std::vector<int64_t>* read) {
  if (x.dim() != 2 || x.size(0) != packing.rows() || x.size(1) != d.config().width ||
      x.scalar_type() != scalar_type(d.dtype()) || x.device() != d.device())
    throw Error(ErrorKind::kInvariant,
                text("states are ", x.sizes(), " ", x.scalar_type(), " on ", x.device(), ", need [",
                     packing.rows(), ", ", d.config().width, "] of ", dtype_name(d.dtype()), " on ",
                     d.device()));
  int64_t before = -1;
  for (size_t i = 0; read != nullptr && i < read->size(); ++i) {
    const int64_t row = (*read)[i];
    if (row <= before || row >= packing.rows())
      throw Error(ErrorKind::kInvariant, text("row ", row, " is read after row ", before, " of ",
                                              packing.rows(), "; ascending rows are needed"));
    before = row;
  }
}

/// What the kernels know of a packing.
struct Rows {
  std::vector<kernels::PackedSequence> sequences;
  std::vector<int64_t> runs;
};

Rows rows_of(const Packing& packing, const std::vector<int64_t>* read) {
  Rows out;
  size_t next = 0;  // of `read`
  int64_t in_run = 0;
  for (const Packing::Sequence& s : packing.sequences) {
    kernels::PackedSequence sequence{s.first, s.count, s.position, s.parent, s.first, s.count};
    if (read != nullptr) {
      sequence.read_first = static_cast<int64_t>(next);
      while (next < read->size() && (*read)[next] < s.first + s.count) ++next;
      sequence.read_count = static_cast<int64_t>(next) - sequence.read_first;
    }
    // A sequence that continues none has nothing in common with those before it.
    if (out.runs.empty() || s.parent < 0 || in_run + sequence.read_count > kRunRows) {
      out.runs.push_back(static_cast<int64_t>(out.sequences.size()));
      in_run = 0;
    }
    in_run += sequence.read_count;
    out.sequences.push_back(sequence);
  }
  out.runs.push_back(static_cast<int64_t>(out.sequences.size()));
  return out;
}

std::vector<int64_t> chain_rows(const Packing& packing, int64_t sequence) {
  std::vector<int64_t> rows;
  for (int64_t i = sequence; i >= 0; i = packing.sequences[static_cast<size_t>(i)].parent) {
    const Packing::Sequence& s = packing.sequences[static_cast<size_t>(i)];
    for (int64_t row = s.first + s.count; row-- > s.first;) rows.push_back(row);
  }
  return {rows.rbegin(), rows.rend()};
}

at::Tensor indices(const std::vector<int64_t>& values, at::Device device) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.mutable_data_ptr<int64_t>());
  return out.to(device);
}

}  // namespace

at::Tensor Decoder::run_packed(int64_t index, const Packing& packing, const at::Tensor& x,
                               std::span<const int64_t> read) const {
  const std::vector<int64_t> rows(read.begin(), read.end());
  return apply_packed(index, packing, x, &rows);
}

at::Tensor Decoder::run_packed(int64_t index, const Packing& packing, const at::Tensor& x) const {
  return apply_packed(index, packing, x, nullptr);
}

at::Tensor Decoder::apply_packed(int64_t index, const Packing& packing, const at::Tensor& in,
                                 const std::vector<int64_t>* read) const {
  require_packing(*this, packing, in, read);
  const std::shared_ptr<const Block> held = block(index);
  if (!device().is_cpu()) {
    // One sequence at a time, with all that it continues: what they share is computed for each.
    std::vector<at::Tensor> parts;
    for (size_t i = 0; i < packing.sequences.size(); ++i) {
      at::Tensor alone =
          in.index_select(0, indices(chain_rows(packing, static_cast<int64_t>(i)), in.device()))
              .unsqueeze(0);
      aten_block(*held, config_, aten_positions(*rope_, config_, 0, alone.size(1), in.device()),
                 alone);
      parts.push_back(alone[0].slice(0, packing.sequences[i].position));
    }
    const at::Tensor all = at::cat(parts);
    return read == nullptr ? all : all.index_select(0, indices(*read, in.device()));
  }
  const at::Tensor x = in.contiguous();
  const Rows rows = rows_of(packing, read);
  const auto count = read == nullptr ? x.size(0) : static_cast<int64_t>(read->size());
  at::Tensor out = at::empty({count, x.size(1)}, x.options());
  const int64_t longest = packing.longest();
  const RopeTable::View table = rope_->first(longest);
  const kernels::PackedRows packed{x.size(0),
                                   packing.positions.data(),
                                   count,
                                   read == nullptr ? nullptr : read->data(),
                                   rows.sequences.data(),
                                   rows.runs.data(),
                                   static_cast<int64_t>(rows.runs.size()) - 1,
                                   longest};
  const kernels::PanelKernels& set = kernels::panel_kernels();
  (dtype_ == Dtype::kFp32 ? set.packed_fp32 : set.packed_bf16)(
      panel_shape(config_, 1, x.size(0)), packed, panel_weights(*held), panel_rotation(table),
      x.const_data_ptr(), out.mutable_data_ptr());
  return out;
}

}  // namespace plumb::models
