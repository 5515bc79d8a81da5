#pragma once

#include <string>
#include <vector>

#include "base/verdict.h"
#include "harness/pipeline/accuracy_summary.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/heal_result.h"
#include "harness/pipeline/results.h"

namespace plumb::harness {

/// What there is to judge; a claim whose measurement is missing is NOT RUN.
struct Measurements {
  int64_t block_count = 0;  ///< L
  const ModelFacts* model = nullptr;
  const ProfileResult* profile = nullptr;
  const PlanResult* plans = nullptr;
  const SweepResult* sweep = nullptr;
  const std::vector<AccuracySummary>* accuracy = nullptr;         ///< a task and metric each
  const std::vector<AccuracySummary>* healed_accuracy = nullptr;  ///< over the healed plans
  const HealResult* heal = nullptr;
  const CostResult* cost = nullptr;
  std::string no_cost = "no cost was measured";  ///< why, where it is null
  const ReconnectionResult* reconnection = nullptr;
  int64_t draws = 10000;
  uint64_t seed = 0;
};

/// A claim's text and the function that judges it. The function fills kind, reason, next step and evidence.
struct Claim {
  std::string name;  ///< Verdict::claim
  std::string title;
  std::string statement;  ///< what is claimed, statistic, null hypothesis, tolerance, least n
  std::string source;
  void (*judge)(const Measurements&, Verdict&);
};

/// All claims of this release, in the order of the report.
const std::vector<Claim>& claims();
std::vector<std::string> claim_names();

/// One verdict per claim; those named in `required` are marked so. A claim's Error becomes INVALID with its message.
std::vector<Verdict> judge_claims(const Measurements& measurements,
                                  const std::vector<std::string>& required);

/// One-sided level of every decision.
inline constexpr double kAlpha = 0.05;
/// Fewer documents than this make no bootstrap interval that can be trusted.
inline constexpr int64_t kLeastDocuments = 16;

/// Each fills a verdict; see the claims' statements for the rules.
void judge_reconnection(const Measurements& m, Verdict& v);
void judge_memory_falls(const Measurements& m, Verdict& v);
void judge_latency_falls(const Measurements& m, Verdict& v);
void judge_memory_prediction(const Measurements& m, Verdict& v);
void judge_latency_prediction(const Measurements& m, Verdict& v);
void judge_healed_continuity(const Measurements& m, Verdict& v);
void judge_healing_gain(const Measurements& m, Verdict& v);
void judge_similarity_beats_simple_healed(const Measurements& m, Verdict& v);
void judge_methods_compose(const Measurements& m, Verdict& v);
void judge_deep_alike(const Measurements& m, Verdict& v);
void judge_last_dissimilar(const Measurements& m, Verdict& v);
void judge_last_dissimilar_after_norm(const Measurements& m, Verdict& v);
void judge_last_block_kept(const Measurements& m, Verdict& v);
void judge_similarity_beats_simple(const Measurements& m, Verdict& v);
void judge_last_block_for_loss(const Measurements& m, Verdict& v);
void judge_last_block_for_answers(const Measurements& m, Verdict& v);
void judge_published_starts(const Measurements& m, Verdict& v);
void judge_published_collapse(const Measurements& m, Verdict& v);
void judge_accuracy_collapses(const Measurements& m, Verdict& v);
void judge_flat_before_collapse(const Measurements& m, Verdict& v);
void judge_healed_accuracy_collapses(const Measurements& m, Verdict& v);
void judge_healed_flat_before_collapse(const Measurements& m, Verdict& v);
void judge_accuracy_falls(const Measurements& m, Verdict& v);
void judge_similarity_answers_better(const Measurements& m, Verdict& v);

/// Similarity against simple for n in 1..most by the losses of `sweep`, "healed" or "unhealed" ones.
void judge_strategies(const Measurements& m, const SweepResult& sweep, int64_t most,
                      const std::string& how, Verdict& v);

/// Sets kind, reason and next step.
void decide(Verdict& v, VerdictKind kind, std::string reason, std::string next_step = "");
/// NOT RUN with what was missing.
void not_run(Verdict& v, std::string missing, std::string next_step);

}  // namespace plumb::harness
