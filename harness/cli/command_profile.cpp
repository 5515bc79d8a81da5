#include "base/error.h"
#include "harness/cli/common.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/stages.h"
#include "harness/pipeline/tables.h"

namespace plumb::harness {

namespace {

std::vector<Flag> profile_flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--documents", "FILE", "calibration.documents",
              "JSONL with `text` (.gz too) or text"},
             {"--max-tokens", "T", "calibration.max_tokens", "cut documents to T tokens"},
             {"--limit", "N", "calibration.limit", "the first N documents with T tokens"},
             {"--special-tokens", "", "special_tokens", "add BOS or EOS as the tokenizer says"},
             {"--documents-per-step", "B", "documents_per_step", "documents in every product"}};
}

nlohmann::ordered_json summary(Session& session, const ProfileResult& profile,
                               const PlanResult& plans) {
  auto json = common_json(session.experiment(),
                          model_facts(session.checkpoint(), session.experiment().model_origin));
  json["policy"].erase("calibration");  // there is no other text here
  json["policy"].erase("positions");
  json["text"] = pairs_json(text_pairs(profile.text));
  json["memory"] = memory_json(session.memory_plan());
  json["peak_resident_bytes"] = metrics::peak_resident_bytes();
  json["seconds"] = profile.seconds;
  json["block_influence"] = profile.profile.block_influence;
  json["best_starts"] = nlohmann::ordered_json::array();
  for (const auto& start : plans.starts)
    json["best_starts"].push_back(
        {{"n", start.n}, {"first", start.first}, {"stability", start.stability}});
  return json;
}

int run_profile(const Arguments& arguments, const Console& console) {
  Settings settings = settings_from(arguments, profile_flags());
  Experiment experiment = make_experiment(settings);
  experiment.strategies.clear();
  const std::string out = require_out(experiment);
  find_model(experiment, console);
  Session session(experiment);
  const auto profile = profile_stage(session, console);
  const auto plans = plan_stage(experiment, session.checkpoint().config().block_count, &profile);
  const auto json = summary(session, profile, plans);

  auto files = profile_files(profile, plans, {.draws = experiment.draws, .seed = experiment.seed});
  files.emplace_back("profile.json", json.dump(2) + "\n");
  publish(files, out);
  console.result(json);
  console.say(text(profile.text.documents.size(), " documents x ", profile.text.token_count,
                   " tokens in ", duration_text(profile.seconds)));
  console.say("     n   l*(n)   stability");
  for (const auto& start : plans.starts) {
    char line[80];
    std::snprintf(line, sizeof line, "%6d %7d %11.3f", static_cast<int>(start.n),
                  static_cast<int>(start.first), start.stability);
    console.say(line);
  }
  console.say(wrote(files, out));
  return 0;
}

}  // namespace

Command profile_command() {
  return {"profile", "measure the angular distance between every pair of block inputs",
          "plumb profile --model model.gguf --documents text.jsonl --max-tokens 256 --limit 64 "
          "--out profile",
          profile_flags(), run_profile};
}

}  // namespace plumb::harness
