#include "pruning/apply.h"

#include "base/error.h"

namespace plumb::pruning {

models::Decoder apply(const models::Decoder& decoder, const PruningPlan& plan) {
  validate(plan);
  if (plan.block_count != decoder.block_count())
    throw Error(ErrorKind::kUsage, text("the plan is for a model with ", plan.block_count,
                                        " blocks, but this one has ", decoder.block_count()));
  return decoder.with_blocks(plan.kept());
}

}  // namespace plumb::pruning
