#include "healing/training_state.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "models/formats/model_file.h"
#include "models/formats/safetensors.h"

namespace plumb::healing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRowNumbers = sizeof(TrainingRow) / sizeof(double);
constexpr const char* kKinds[] = {"parameter", "first", "second"};

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()),
          static_cast<size_t>(tensor.nbytes())};
}

/// Doubles as pairs of F32, which the format has, bit for bit.
at::Tensor pairs_of(const void* numbers, size_t count) {
  const at::Tensor out = at::empty({static_cast<int64_t>(2 * count)}, at::kFloat);
  if (count > 0) std::memcpy(out.mutable_data_ptr(), numbers, count * sizeof(double));
  return out;
}

using Named = std::vector<std::pair<std::string, at::Tensor>>;

std::string checksum(const std::string& key, const Named& tensors) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(key)));
  for (const auto& [name, tensor] : tensors) {
    hash.update(std::as_bytes(std::span(name)));
    hash.update(bytes_of(tensor));
  }
  return hash.hex();
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::kInput, why + "; begin anew with --fresh");
}

/// All tensors of the file in its order. The bytes may be any.
Named read_tensors(const models::ModelFile& file, const models::SafetensorsHeader& header) {
  Named out;
  for (const models::TensorEntry& entry : header.tensors) {
    if (entry.type != models::StoredType::kF32) refuse("a tensor is not F32");
    out.emplace_back(entry.name, at::empty(entry.shape, at::kFloat));
    file.read(entry.begin, {static_cast<std::byte*>(out.back().second.mutable_data_ptr()),
                            static_cast<size_t>(entry.size_bytes())});
  }
  return out;
}

std::string value_of(const std::map<std::string, std::string>& metadata, const char* name) {
  const auto found = metadata.find(name);
  return found == metadata.end() ? "" : found->second;
}

}  // namespace

void write_training_state(const fs::path& path, const TrainingState& state) {
  Named tensors;
  const std::vector<at::Tensor>* const kinds[] = {&state.parameters, &state.first_moments,
                                                  &state.second_moments};
  for (size_t kind = 0; kind < std::size(kKinds); ++kind)
    for (size_t i = 0; i < kinds[kind]->size(); ++i)
      tensors.emplace_back(text(kKinds[kind], ".", i), kinds[kind]->at(i).contiguous());
  tensors.emplace_back("rows", pairs_of(state.rows.data(), state.rows.size() * kRowNumbers));
  tensors.emplace_back("losses_before",
                       pairs_of(state.losses_before.data(), state.losses_before.size()));
  std::vector<models::TensorToWrite> slots;
  for (const auto& [name, tensor] : tensors)
    slots.push_back({name, models::StoredType::kF32, tensor.sizes().vec(), bytes_of(tensor)});
  models::write_safetensors(path, slots,
                            {{"key", state.key}, {"sha256", checksum(state.key, tensors)}});
}

std::optional<TrainingState> read_training_state(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  try {
    const models::ModelFile file(path);
    const models::SafetensorsHeader header = models::parse_safetensors(file);
    const Named tensors = read_tensors(file, header);
    TrainingState state;
    state.key = value_of(header.metadata, "key");
    if (value_of(header.metadata, "sha256") != checksum(state.key, tensors))
      refuse("its bytes are not the ones that were written");
    for (const auto& [name, tensor] : tensors) {
      const auto numbers = static_cast<size_t>(tensor.numel() / 2);
      if (name == "rows") {
        state.rows.resize(numbers / kRowNumbers);
        if (!state.rows.empty())
          std::memcpy(static_cast<void*>(state.rows.data()), tensor.const_data_ptr(),
                      state.rows.size() * sizeof(TrainingRow));
      } else if (name == "losses_before") {
        state.losses_before.resize(numbers);
        if (numbers > 0)
          std::memcpy(state.losses_before.data(), tensor.const_data_ptr(),
                      numbers * sizeof(double));
      } else {
        (name.starts_with(kKinds[0])   ? state.parameters
         : name.starts_with(kKinds[1]) ? state.first_moments
                                       : state.second_moments)
            .push_back(tensor);
      }
    }
    return state;
  } catch (const Error& error) {
    throw error.within(path.string());
  }
}

TrainingState state_of(const Trainer& trainer) {
  const auto on_host = [](std::vector<at::Tensor> tensors) {
    for (at::Tensor& tensor : tensors) tensor = tensor.to(at::kCPU);
    return tensors;
  };
  return {.key = {},
          .parameters = on_host(matrices(trainer.adapters())),
          .first_moments = on_host(trainer.optimizer().first_moments()),
          .second_moments = on_host(trainer.optimizer().second_moments()),
          .rows = {},
          .losses_before = {}};
}

void restore(Trainer& trainer, const TrainingState& state) {
  trainer.restore(state.parameters, state.steps(), state.first_moments, state.second_moments);
}

}  // namespace plumb::healing
