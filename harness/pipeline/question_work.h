#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/experiment/experiment.h"

namespace plumb::harness {

/// About how much the questions of an experiment are, from their texts alone: there may be no tokenizer yet.
struct QuestionWork {
  int64_t questions = 0;
  double tokens = 0;                 ///< that a model is run on: what questions share counts once
  double read_tokens = 0;            ///< whose logits are needed
  std::vector<std::string> missing;  ///< tasks whose file is not here, so that they are left out
};

/// Four bytes of text are taken for a token, as in English. Error{kUsage} for a task that is not known, Error{kInput} for
/// a question file that is none.
QuestionWork question_work(const Experiment& experiment);

}  // namespace plumb::harness
