#include "base/error.h"
#include "pruning/apply.h"
namespace plumb::pruning {
double write_pruned(const models::Checkpoint&, const std::filesystem::path&, const PruningPlan&,
                    const std::filesystem::path&, bool, uint64_t) {
  throw Error(ErrorKind::kResource, "write_pruned is not here yet");
}
}  // namespace plumb::pruning
