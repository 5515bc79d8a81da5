#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/environment.h"
#include "base/verdict.h"
#include "harness/cli/console.h"
#include "harness/experiment/experiment.h"
#include "harness/pipeline/continuation.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/heal_result.h"
#include "harness/pipeline/questions_result.h"
#include "harness/pipeline/results.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

/// How long a stage took when it ran, and whether this run ran it.
struct StageTime {
  std::string stage;
  double seconds = 0;
  bool reused = false;
};

/// All that a run has found out: what the verdicts and the report are made of.
struct Run {
  Settings settings;  ///< effective values and where they came from
  Experiment experiment;
  ModelFacts model;
  ProfileResult profile;
  PlanResult plans;
  SweepResult sweep;
  std::optional<QuestionsResult> questions;      ///< none where no task was named
  std::vector<AccuracySummary> accuracy;         ///< what follows from them: a task and metric each
  std::vector<AccuracySummary> healed_accuracy;  ///< the same of the healed plans
  std::optional<HealResult> heal;                ///< none where no plan was to be healed
  std::optional<CostResult> cost;
  std::string cost_refusal;  ///< why there is none, where it was not tried
  std::optional<ReconnectionResult> reconnection;
  std::optional<ContinuationResult> continuations;
  Environment environment;
  Pairs libraries;
  Pairs memory;        ///< how the model was held; empty where no stage needed it
  Pairs text_licence;  ///< of the default documents, from the manifest beside them
  std::vector<std::string> warnings;
  std::vector<StageTime> stages;
  std::string command_line;
  std::string started;  ///< UTC, ISO 8601
  std::string finished;
  int failure_code = 0;  ///< of a stage that failed without ending the run
};

/// Runs every stage of `settings`' experiment, or takes its result from the cache, and saves what `load_run` needs.
/// `program` is the binary that the cost stage starts. A stage whose measurement the machine refuses (Error{kResource}
/// in cost or reconnection) is recorded as a warning and in failure_code; everything else is thrown.
Run execute(const Settings& settings, const std::string& program, const std::string& command_line,
            const Console& console);

/// A finished run from its folder. Error{kInput} where it is none, or was changed since.
Run load_run(const std::string& folder);

std::vector<Verdict> judge(const Run& run);

/// Writes all files of the run folder, the report last.
void publish_run(const Run& run, const std::vector<Verdict>& verdicts, const std::string& folder);

/// Now, UTC, such as "2026-01-31T12:00:00Z".
std::string utc_now();

}  // namespace plumb::harness
