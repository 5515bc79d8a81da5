#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "healing/adapter.h"
#include "models/config.h"

/// Adapters as PEFT writes and reads them: adapter_config.json and adapter_model.safetensors, whose tensors are
/// "base_model.model.<module>.lora_A.weight" [rank, in] and "..lora_B.weight" [out, rank]. Modules and layers are those of
/// the pruned checkpoint that the adapter belongs to.
namespace plumb::healing {

struct PeftAdapter {
  LoraOptions options;  ///< targets: those that any block has
  std::vector<BlockAdapter> blocks;
};

/// Writes both files into `folder`, which is there, each whole or not at all, F32. `base_model` is what
/// base_model_name_or_path says. Error{kUsage} for a target that is no module of its own (healing/modules.h);
/// Error{kResource} where the folder cannot be written.
void write_peft_adapter(const std::filesystem::path& folder, const PeftAdapter& adapter,
                        const models::ModelConfig& config, const std::string& base_model);

/// For a model of `config`, pruned or whole. F32, F16 and BF16 come back as fp32. Error{kInput} naming the file and what is
/// wrong: a kind of adapter that is not plain LoRA (DoRA, biases, other modules saved beside it, ranks by pattern, bases that its
/// initialisation has changed), a tensor of no module of this model, of another shape or with a NaN, an A without its B.
PeftAdapter read_peft_adapter(const std::filesystem::path& folder,
                              const models::ModelConfig& config);

/// scale B A of one module, rows [first, first + count) in Hugging Face's order: what merging adds to its weights, in fp32.
at::Tensor merged_rows(const PeftAdapter& adapter, const models::ModelConfig& config, int64_t block,
                       Target target, int64_t first, int64_t count);

}  // namespace plumb::healing
