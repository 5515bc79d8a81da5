#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "metrics/cost/cost.h"
#include "metrics/similarity/distance_matrix.h"
#include "metrics/similarity/profile.h"
#include "pruning/plan.h"
#include "pruning/sweep/sweep.h"

namespace plumb::harness {

/// Text that a stage has read.
struct TextFacts {
  std::string file;  ///< without folder
  std::string sha256;
  int64_t token_count = 0;         ///< T, of every document
  std::vector<int64_t> documents;  ///< line numbers
};

/// Result of the stage `profile`.
struct ProfileResult {
  metrics::Profile profile = {metrics::DistanceMatrix(1, 1), {}, {}};
  TextFacts text = {};
  double seconds = 0;
};

/// Result of the stage `plans`: l*(n) with its stability, and every plan that the sweep evaluates, strategy by strategy.
struct PlanResult {
  std::vector<metrics::BestStart> starts;
  std::vector<pruning::PruningPlan> plans;
  double seconds = 0;
};

/// Result of the stage `sweep`; losses are in the order of `plans`.
struct SweepResult {
  std::vector<pruning::PruningPlan> plans;
  pruning::SweepLosses losses;
  TextFacts text;
  int64_t vocabulary_size = 0;  ///< V: losses are normalised by its natural logarithm
  double seconds = 0;
  double tokens_per_second = 0;  ///< tokens of all documents times plans as asked, per second
  uint64_t peak_resident_bytes = 0;
};

/// Plans as asked, those that remove nothing counted once together: 57 for two strategies and n = 0..28.
int64_t asked_plans(const std::vector<pruning::PruningPlan>& plans);

/// One configuration of the stage `cost`, measured in a process of its own.
struct CostPoint {
  int64_t n = 0;
  std::string removed;
  metrics::Cost cost;
  bool peak_excludes_loading = false;  ///< the peak was reset after loading
};
struct CostResult {
  int64_t block_count = 0;  ///< L of the whole model
  std::vector<CostPoint> points;
  double seconds = 0;
};

/// One comparison that must be equal to the last bit.
struct EqualityCheck {
  std::string name;       ///< "written and re-read"
  std::string detail;     ///< what was compared
  int64_t compared = 0;   ///< values
  int64_t differing = 0;  ///< of them with other bits
  double largest_difference = 0;
  std::string not_run;  ///< why it could not be made, or empty
};

/// Result of the stage `reconnection`.
struct ReconnectionResult {
  std::vector<EqualityCheck> checks;
  double seconds = 0;
};

/// As JSON with doubles that read back to the same bits, and back. The readers throw nlohmann's exceptions or Error for
/// what is not such a result.
nlohmann::ordered_json to_json(const ProfileResult& result);
nlohmann::ordered_json to_json(const PlanResult& result);
nlohmann::ordered_json to_json(const SweepResult& result);
nlohmann::ordered_json to_json(const CostResult& result);
nlohmann::ordered_json to_json(const ReconnectionResult& result);
nlohmann::ordered_json to_json(const metrics::Cost& cost);
ProfileResult profile_from_json(const nlohmann::ordered_json& json);
PlanResult plans_from_json(const nlohmann::ordered_json& json);
SweepResult sweep_from_json(const nlohmann::ordered_json& json);
CostResult cost_from_json(const nlohmann::ordered_json& json);
ReconnectionResult reconnection_from_json(const nlohmann::ordered_json& json);
metrics::Cost one_cost_from_json(const nlohmann::ordered_json& json);

}  // namespace plumb::harness
