#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::harness {

enum class Severity { kWarn, kFail };

/// How much worse a metric may become. Written
///
///     METRIC[PLAN]:abs|rel:LIMIT[:warn|fail]
///
///     loss:rel:+1%      mmlu.acc:abs:-0.01      loss[similarity:7]:rel:+2%:warn      f0:abs:0.05
///
/// METRIC is a name of `known_metric_help`; [PLAN] is strategy:n, or * for every plan that both sides have, and n = 0 where
/// it is left out. LIMIT has the sign in which the metric gets worse, or none; a per cent sign divides by 100. Of f0,
/// which has no worse direction, a limit without a sign holds both ways.
struct Tolerance {
  std::string metric;  ///< "loss", "mmlu.acc"
  std::string plan;    ///< "similarity:7", "*"; empty: n = 0
  bool relative = false;
  double limit = 0;  ///< not negative; a share where relative
  int sign = 0;      ///< of LIMIT as written: -1, +1, or 0 where it had none
  Severity severity = Severity::kFail;
  bool by_default = false;  ///< nobody named it: where neither side has the metric, nothing is said

  std::string name() const;  ///< "loss[similarity:7]"
  std::string text() const;  ///< as it is written
};

/// Error{kUsage} with what was found and what was needed.
Tolerance parse_tolerance(std::string_view word);

/// What is held where nobody names a tolerance: loss:rel:+1%, *.acc:abs:-0.02, prefill.tok_s:rel:-5%, decode.tok_s:rel:-5%,
/// peak_rss:rel:+2%.
std::vector<Tolerance> default_tolerances();

/// A failure that is known and accepted for a while.
struct Waiver {
  std::string metric;  ///< as Tolerance::name()
  std::string model;   ///< beginning of the candidate's sha256, or empty: any
  std::string until;   ///< the last day on which it holds, 2026-12-31
  std::string reason;
};

/// gate.json: {"alpha", "tolerances", "models": {SHA256: {"tolerances"}}, "waivers"}. A tolerance is its text, or
/// {"tolerance": text, "severity": "warn"}.
struct GateConfig {
  double alpha = 0.05;
  std::vector<Tolerance> tolerances = default_tolerances();
  struct Model {
    std::string sha256;  ///< its beginning, at least 8 digits
    std::vector<Tolerance> tolerances;
  };
  std::vector<Model>
      models;  ///< each replaces those of the same name for its model, and adds others
  std::vector<Waiver> waivers;
};

/// Error{kUsage} naming the member that is unknown, missing or of another kind, a waiver without a reason or with a day that
/// is none.
GateConfig parse_gate_config(std::string_view json);

/// The tolerances for a candidate of this hash.
std::vector<Tolerance> tolerances_for(const GateConfig& config, const std::string& model_sha256);

/// The waiver that is about this tolerance of this candidate, expired or not.
const Waiver* waiver_for(const GateConfig& config, const Tolerance& tolerance,
                         const std::string& model_sha256);

}  // namespace plumb::harness
