// What a run's numbers are about: what two runs must share to be compared.

#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

std::vector<std::pair<std::string, Pairs>> subject_of(const Run& run) {
  const Experiment& e = run.experiment;
  const Pairs model = {{"name", run.model.name},
                       {"sha256", run.model.sha256},
                       {"architecture", run.model.architecture},
                       {"width", text(run.model.width)},
                       {"vocabulary", text(run.model.vocabulary_size)},
                       {"blocks", text(run.model.block_count)}};
  const bool sampled = e.positions != 0 && e.positions < e.validation.max_tokens - 1;
  const Pairs loss = {
      {"file", run.sweep.text.file},
      {"sha256", run.sweep.text.sha256},
      {"tokens of a document", text(run.sweep.text.token_count)},
      {"special tokens", e.special_tokens ? "as the tokenizer's files say" : "none"},
      {"positions", sampled ? text(e.positions, " by seed ", e.seed) : "all"},
      {"dtype", e.dtype}};
  const Pairs cost = {{"dtype", e.dtype},
                      {"device", e.device},
                      {"threads", text(e.threads)},
                      {"prefill tokens", text(e.prefill_tokens)},
                      {"decode context", text(e.decode_context)},
                      {"decode tokens", text(e.decode_tokens)}};
  Pairs system;
  // What a time depends on; the commit of the program is what a gate is there to compare.
  for (const auto& [name, value] : run.environment.machine)
    if (name != "memory limit") system.emplace_back(name, value);
  for (const auto& [name, value] : run.environment.build)
    if (name == "build type" || name == "compiler") system.emplace_back(name, value);
  for (const auto& [name, value] : run.libraries)
    if (name != "CUDA plug-in") system.emplace_back(name, value);
  return {{"model", model}, {"loss", loss}, {"cost", cost}, {"system", system}};
}

}  // namespace plumb::harness
