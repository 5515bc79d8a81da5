#include "harness/pipeline/continuation.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "models/greedy.h"
#include "pruning/apply.h"
#include "reports/escape.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

std::string continuation(const models::Decoder& decoder, const models::Tokenizer& tokenizer,
                         const models::ModelConfig& config) {
  const std::vector<std::vector<int32_t>> prompts = {tokenizer.encode(kIllustrationPrompt)};
  models::GreedyOptions options;
  options.max_tokens =
      std::min<int64_t>(kIllustrationTokens, config.max_positions - std::ssize(prompts.front()));
  options.end = config.eos_token;
  if (prompts.front().empty() || options.max_tokens < 1) return "";
  return reports::repair_utf8(
      tokenizer.decode(models::write_greedily(decoder, prompts, options).front()));
}

ContinuationResult continuation_stage(Session& session,
                                      const std::vector<pruning::PruningPlan>& plans) {
  const auto start = std::chrono::steady_clock::now();
  ContinuationResult out;
  if (session.memory_plan().streamed) return out;
  const models::ModelConfig& config = session.checkpoint().config();
  out.texts.push_back({{config.block_count, {}, "", "nothing is removed"},
                       continuation(session.decoder(), session.tokenizer(), config)});
  for (const pruning::PruningPlan& plan : plans)
    out.texts.push_back(
        {plan, continuation(pruning::apply(session.decoder(), plan), session.tokenizer(), config)});
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

Json to_json(const ContinuationResult& r) {
  Json texts = Json::array();
  for (const auto& one : r.texts)
    texts.push_back({{"block_count", one.plan.block_count},
                     {"removed", one.plan.removed},
                     {"strategy", one.plan.strategy},
                     {"text", one.text}});
  return {{"texts", texts}, {"seconds", r.seconds}};
}

ContinuationResult continuation_from_json(const Json& j) {
  ContinuationResult r;
  for (const Json& one : j.at("texts")) {
    pruning::PruningPlan plan{one.at("block_count"), one.at("removed"), one.at("strategy"), ""};
    pruning::validate(plan);
    r.texts.push_back({std::move(plan), one.at("text")});
  }
  r.seconds = j.at("seconds");
  return r;
}

}  // namespace plumb::harness
