#include "harness/pipeline/work_key.h"

#include "base/environment.h"
#include "base/error.h"
#include "base/hash.h"
#include "harness/pipeline/facts.h"
#include "models/kernels/panels.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::harness {

using Json = nlohmann::ordered_json;

void add_software(Json& key, const std::string& device) {
  key["version"] = version_line();
  for (const auto& [name, value] : library_facts(device))
    if (name != "CUDA plug-in") key[name] = value;
  key["kernels"] = std::string(models::kernels::panel_kernels().name);
}

namespace {

void add_documents(Json& key, Session& session) {
  const Experiment& e = session.experiment();
  key["documents"] = session.text_sha256(e.validation);
  key["max-tokens"] = e.validation.max_tokens;
  key["limit"] = e.validation.limit;
  key["documents-per-step"] = e.documents_per_step;
  key["positions"] = e.positions;
}

void add_task(Json& key, const AskedTask& asked) {
  const std::string name = "task " + asked.task.name;
  key[name] = asked.task.sha256;
  key[name + ": questions"] = asked.sha256;
  key[name + ": examples"] = asked.shots_sha256;
  key[name + ": shots"] = asked.shots;
  key[name + ": limit-questions"] = asked.choice.limit;
  key[name + ": sample"] = asked.choice.sample;
}

std::string plans_text(const std::vector<pruning::PruningPlan>& plans) {
  std::string out;
  for (const auto& plan : plans)
    out += text(out.empty() ? "" : " ", plan.strategy, ":", plan.removed_text());
  return out;
}

/// All but the plans.
Json common_key(Session& session, const std::vector<AskedTask>& asked, bool documents) {
  const Experiment& e = session.experiment();
  Json key;
  key["journal format"] = 1;
  add_software(key, e.device);
  key["model"] = session.checkpoint().sha256();
  key["tokenizer"] = models::Tokenizer::sha256(e.model);
  key["dtype"] = e.dtype;
  key["threads"] = e.threads;
  key["seed"] = e.seed;
  key["special-tokens"] = e.special_tokens;
  if (documents) add_documents(key, session);
  std::string tasks;
  for (const AskedTask& task : asked) tasks += (tasks.empty() ? "" : ",") + task.task.name;
  key["tasks"] = tasks;
  if (!asked.empty()) key["rows-per-pack"] = rows_per_pack(session);
  for (const AskedTask& task : asked) add_task(key, task);
  std::string strategies;
  for (const auto& strategy : e.strategies)
    strategies += (strategies.empty() ? "" : ",") + strategy;
  key["strategies"] = strategies;
  key["n"] = e.sweep_n;
  return key;
}

}  // namespace

Json work_key(Session& session, const SweepPlans& chosen, const std::vector<AskedTask>& asked,
              bool documents) {
  Json key = common_key(session, asked, documents);
  key["calibration"] = chosen.calibration;
  key["plans"] = plans_text(chosen.plans);
  return key;
}

Json inputs_key(Session& session, const std::optional<std::string>& plans_csv,
                const std::vector<AskedTask>& asked, bool documents) {
  Json key = common_key(session, asked, documents);
  key["draws"] = session.experiment().draws;
  if (plans_csv) key["plans file"] = sha256_of_file(*plans_csv);
  const TextChoice& calibration = session.experiment().calibration_text();
  if (calibration.file.empty()) return key;
  key["calibration"] = session.text_sha256(calibration);
  key["calibration: max-tokens"] = calibration.max_tokens;
  key["calibration: limit"] = calibration.limit;
  return key;
}

}  // namespace plumb::harness
