#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/experiment/settings.h"
#include "models/origin.h"

namespace plumb::harness {

/// Which text, cut to how many tokens, and how many documents of it.
struct TextChoice {
  std::string file;
  int64_t max_tokens = 0;
  int64_t limit = 0;

  bool operator==(const TextChoice&) const = default;
};

/// Which questions a run asks.
struct QuestionSet {
  std::vector<std::string> tasks;  ///< names of tasks, or task files (.json); none: no questions
  std::string data;                ///< folder that their files lie in
  int64_t limit = 0;               ///< the first so many of each; 0: all
  int64_t sample = 0;              ///< so many of each, drawn by the seed; 0: all
};

/// Which plans are healed, and how: the settings `heal`, a preset's values being in them.
struct HealChoice {
  std::string n;  ///< as given, see heal_counts; empty: nothing is healed
  std::vector<std::string> strategies;
  std::string preset;
  std::string documents;
  int64_t max_tokens = 256;
  int64_t batch = 4;
  int64_t accumulation = 1;
  int64_t steps = 200;
  int64_t rank = 8;
  double alpha = 8;
  double dropout = 0;
  std::vector<std::string> targets;  ///< none: the feed-forward's
  double learning_rate = 3e-4;
  int64_t warm_up = 20;
  std::string packing = "concat";
  bool special_tokens = false;
  int64_t steps_per_state = 20;
  uint64_t seed = 0;

  bool is_asked() const { return !n.empty(); }
};

/// Everything that decides the numbers of a run. Paths are as given: relative to the working directory.
struct Experiment {
  std::string name;
  std::string model;  ///< as named; after find_model a path
  models::Origin model_origin;
  std::string out;
  std::string dtype;   ///< "fp32" or "bf16"
  std::string device;  ///< "cpu", "cuda" or the file of a plug-in; see models/compute_device.h
  std::string device_reason;        ///< "auto" that took the CPU: why
  int64_t threads = 0;              ///< at least 1
  uint64_t memory_limit_bytes = 0;  ///< of resident memory, and of a device's; 0: what is available
  int64_t processes_here = 1;       ///< of the command on this machine, which share its memory
  uint64_t seed = 0;
  bool special_tokens = false;
  int64_t documents_per_step = 8;
  int64_t rows_per_pack = 0;  ///< of questions; 0: by the model's width
  TextChoice calibration;
  TextChoice validation;
  std::vector<std::string> strategies;
  std::string sweep_n;   ///< as given; see sweep_counts
  bool deepest = false;  ///< see deepest_counts
  int64_t positions = 0;
  QuestionSet questions;
  HealChoice heal;
  int64_t draws = 10000;
  std::string cost_n;  ///< as given; see cost_counts
  int64_t prefill_tokens = 256;
  int64_t decode_context = 256;
  int64_t decode_tokens = 16;
  int64_t repetitions = 10;
  std::vector<std::string> required_claims;

  /// The calibration text; the validation text where none was named.
  const TextChoice& calibration_text() const {
    return calibration.file.empty() ? validation : calibration;
  }
  bool same_documents() const { return calibration_text() == validation; }
  /// The first documents of one file: the smaller set lies in the larger one.
  bool overlapping_documents() const { return calibration_text().file == validation.file; }
};

/// Fills an experiment: dtype "auto", device "auto" and threads 0 are decided here, "by_dtype" is applied to `settings`.
/// Error{kUsage} for an unknown dtype, device or strategy, and for claims that do not exist.
Experiment make_experiment(Settings& settings);

/// The values of n that a sweep or a measurement over `block_count` blocks asks for. Error{kUsage} with the allowed
/// range when one is out of it.
std::vector<int64_t> sweep_counts(const Experiment& experiment, int64_t block_count);
std::vector<int64_t> cost_counts(const Experiment& experiment, int64_t block_count);
/// The values of n for which a run also removes the deepest blocks, the last one among them, beside its strategies.
std::vector<int64_t> deepest_counts(const Experiment& experiment, int64_t block_count);
/// The values of n whose plans are healed: those of heal.n that are in the sweep, as healed losses are compared with its. The others
/// in words, or empty: a warning, as an experiment is run with narrower sweeps and with smaller models.
std::vector<int64_t> heal_counts(const Experiment& experiment, int64_t block_count);
std::string heal_left_out(const Experiment& experiment, int64_t block_count);

/// Whether this CPU multiplies bf16 in hardware (AVX512_BF16 or AMX).
bool cpu_has_bf16_units();
/// Whole cores that the cgroup's quota grants, or 0 where there is no quota.
int64_t quota_threads();
/// Threads that this process may use at once: its affinity and its cgroup's quota.
int64_t available_threads();

}  // namespace plumb::harness
