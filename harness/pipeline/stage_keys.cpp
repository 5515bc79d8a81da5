#include "harness/pipeline/stage_keys.h"

#include "base/error.h"
#include "harness/pipeline/continuation.h"
#include "harness/pipeline/questions_stage.h"
#include "harness/pipeline/stage_cache.h"
#include "harness/pipeline/work_key.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

namespace {

constexpr int kFormat = 1;  ///< of the results' JSON

std::string text_hash(Session& session, const TextChoice& choice, const std::string& key) {
  if (choice.file.empty())
    throw Error(ErrorKind::kUsage, text("no text was named, needed ", key, ".documents"));
  try {
    return session.text_sha256(choice);
  } catch (const Error& error) {
    throw Error(error.kind(),
                text(error.what(), " (", key, ".documents; ./run makes the default ones)"),
                error.at());
  }
}

Json text_key(Session& session, const TextChoice& choice, const std::string& key) {
  return {{"sha256", text_hash(session, choice, key)},
          {"max_tokens", choice.max_tokens},
          {"limit", choice.limit}};
}

/// The processor and the system, which timings belong to.
Json machine_key(const Environment& environment) {
  Json out = Json::object();
  for (const auto& [key, value] : environment.machine)
    if (key == "CPU" || key == "cores" || key == "system") out[key] = value;
  return out;
}

/// On the CPU, whatever the device. What products are held in depends on the kernels.
Json heal_key_of_all(const Experiment& e, const ModelFacts& model) {
  Json key;
  key["format"] = kFormat;
  add_software(key);
  key["model"] = model.sha256;
  key["tokenizer"] = models::Tokenizer::sha256(e.model);
  key["dtype"] = e.dtype;
  key["threads"] = e.threads;
  return key;
}

}  // namespace

StageKeys stage_keys(Session& session, const ModelFacts& model, const Environment& environment) {
  const Experiment& e = session.experiment();
  const Json common = {{"format", kFormat},
                       {"version", version_line()},
                       {"libraries", pairs_json(library_facts(e.device))},
                       {"model", model.sha256},
                       {"tokenizer", models::Tokenizer::sha256(e.model)},
                       {"dtype", e.dtype},
                       {"device", e.device},
                       {"threads", e.threads},
                       {"documents_per_step", e.documents_per_step},
                       {"special_tokens", e.special_tokens}};
  StageKeys keys;
  keys.profile = {{"common", common},
                  {"text", text_key(session, e.calibration_text(), "calibration")}};
  keys.plans = {{"profile", keys.profile}, {"strategies", e.strategies},
                {"n", e.sweep_n},          {"deepest", e.deepest},
                {"seed", e.seed},          {"draws", e.draws}};
  // The plans themselves decide the losses, but they follow from what stands in their key.
  keys.sweep = {{"plans", StageCache::entry_name("plans", keys.plans)},
                {"text", text_key(session, e.validation, "validation")},
                {"positions", e.positions},
                {"seed", e.seed},
                {"common", common}};
  const Json asked = questions_key(e);
  if (!asked.empty())
    keys.questions = {{"plans", StageCache::entry_name("plans", keys.plans)},
                      {"asked", asked},
                      {"seed", e.seed},
                      {"common", common}};
  if (e.heal.is_asked()) {
    keys.heal = heal_key_of_all(e, model);
    keys.nf4 = keys.heal;
    keys.healed = {{"text", text_key(session, e.validation, "validation")},
                   {"positions", e.positions},
                   {"asked", asked},
                   {"prompt", kIllustrationPrompt},
                   {"seed", e.seed},
                   {"common", common}};
  }
  keys.cost = {{"common", common},
               {"machine", machine_key(environment)},
               {"n", e.cost_n},
               {"prefill_tokens", e.prefill_tokens},
               {"decode_context", e.decode_context},
               {"decode_tokens", e.decode_tokens},
               {"repetitions", e.repetitions}};
  keys.reconnection = {{"common", common},
                       {"text", text_key(session, e.validation, "validation")},
                       {"seed", e.seed}};
  return keys;
}

}  // namespace plumb::harness
