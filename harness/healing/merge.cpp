#include "harness/healing/merge.h"

#include <ATen/TensorOperators.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "healing/modules.h"

namespace plumb::harness {

pruning::WeightChange merging(const healing::PeftAdapter& adapter, models::ModelConfig pruned) {
  const auto touches = [&adapter](models::Role role, int64_t block) {
    const auto target = healing::target_of(role);
    return target && block >= 0 &&
           adapter.blocks.at(static_cast<size_t>(block)).of(*target).a.defined();
  };
  return {
      touches, [&adapter, touches, pruned = std::move(pruned)](
                   models::Role role, int64_t block, int64_t first, const at::Tensor& values) {
        if (!touches(role, block)) return;
        const auto target = *healing::target_of(role);
        values.add_(healing::merged_rows(adapter, pruned, block, target, first, values.size(0)));
      }};
}

std::optional<pruning::PruningPlan> plan_of_adapter(const std::filesystem::path& adapter,
                                                    const models::Checkpoint& checkpoint) {
  const auto file = adapter / "plumb.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const int64_t blocks = checkpoint.config().block_count;
  try {
    const auto json = parse_json(read_file(file));
    if (json.at("base").at("sha256") == checkpoint.sha256())
      return pruning::PruningPlan{blocks, json.at("removed").get<std::vector<int64_t>>(),
                                  json.at("strategy").get<std::string>(),
                                  "of the adapter that is merged"};
    if (const auto kept = json.at("block_count").get<int64_t>(); kept != blocks)
      throw Error(ErrorKind::kInput,
                  text("the adapter is of ", kept, " blocks of another model than the one of ",
                       blocks, " blocks that was given"));
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::kInput, text("'", file.string(), "' is no plumb.json of a healing"));
  } catch (const Error& error) {
    throw error.within(file.string());
  }
  return pruning::PruningPlan{blocks, {}, "explicit", "of the adapter that is merged"};
}

}  // namespace plumb::harness
