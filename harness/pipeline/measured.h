#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/machine_readings.h"
#include "base/record.h"
#include "base/system_description.h"
#include "base/verdict.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/results.h"

namespace plumb::harness {

/// One thing that is measured, in child processes of its own.
struct Configuration {
  std::vector<int64_t> removed;  ///< blocks, ascending
  int64_t context = 0;           ///< tokens of a prompt
  int64_t batch = 1;             ///< prompts that run together
};

/// One time that was taken.
struct Sample {
  std::string what;  ///< "first_token", "again", "blocks", "between_tokens"
  int64_t round = 0;
  bool second_arm = false;  ///< of the A/A run
  int64_t repetition = 0;
  int64_t token = 0;  ///< between_tokens: the token that it ends with; the first one is 0
  double ms = 0;
};

/// What was counted on the device that a configuration ran on.
struct MeasuredOnDevice {
  std::string name;              ///< "cuda"
  std::string product, driver;   ///< as its plug-in says; empty where it does not
  uint64_t total_bytes = 0;      ///< of its memory
  uint64_t predicted_bytes = 0;  ///< weights, cache and activations
  std::vector<uint64_t> allocated_bytes,
      reserved_bytes;                               ///< [child], ATen's peaks of the timed part
  std::vector<uint64_t> process_bytes;              ///< [child], by the driver, at its end
  std::vector<double> joules;                       ///< [child], of the timed part
  std::string no_allocator, no_process, no_joules;  ///< why such a vector is empty
};

/// Everything that a configuration's children found. Bytes of children are the same but for the peak.
struct Measured {
  Configuration configuration;
  std::string removed;      ///< "12-18"
  int64_t block_count = 0;  ///< of the whole model
  int64_t tokens = 0;       ///< written after each prompt
  std::vector<Sample> samples;
  uint64_t weight_bytes = 0, predicted_weight_bytes = 0, block_bytes = 0;
  uint64_t cache_bytes = 0, activation_bytes = 0;                  ///< predicted
  std::vector<uint64_t> baseline_bytes, loaded_bytes, peak_bytes;  ///< [child], of the host
  std::vector<uint64_t> predicted_peak_bytes;                      ///< [child]; empty on a device
  std::optional<MeasuredOnDevice> device;                          ///< none on the CPU
  std::vector<double> load_ms;
  std::vector<double> joules;  ///< [child] of the timed part; empty where nothing counts them
  std::string no_energy;
  bool outputs_equal = true;        ///< what was written under the clock is what is written without
  bool tokens_counted = true;       ///< as many tokens as were to be written, and a time for each
  std::vector<std::string> doubts;  ///< reasons against the times, each once
  std::vector<std::string> unknown;  ///< what could not be looked at

  int64_t n() const { return static_cast<int64_t>(configuration.removed.size()); }
  /// Times of one kind and arm; the first arm's are what is reported.
  std::vector<double> times(const std::string& what, bool second_arm = false) const;
  uint64_t peak() const;  ///< the largest of all children
};

/// The largest of what children counted; none where none did.
std::optional<uint64_t> largest(const std::vector<uint64_t>& bytes);

/// Adds what one child printed (measure_child.h). Error{kInternal} where it is no such result.
void add_child(Measured& measured, const nlohmann::ordered_json& child, int64_t round,
               bool second_arm);

struct Audit {
  std::string name;
  bool holds = true;
  std::string detail;
};

struct MeasureResult {
  SystemDescription system;
  std::vector<Measured> measured;  ///< the first one has a second arm
  int64_t rounds = 0;
  double tolerance = 0.05;  ///< the smallest relative difference of times that is to be seen
  TimingDoubts standing;    ///< of the machine as it is
  std::vector<nlohmann::ordered_json>
      benchmarks;  ///< a child's Google Benchmark report each, with its configuration
  double seconds = 0;
};

/// The largest relative difference that two measurements of the same configuration showed in any round: of the median time
/// to the first token and of that between tokens. None without a second arm.
std::optional<double> noise_floor(const MeasureResult& result);

/// Timed outputs equal those that are not timed; as many tokens as asked; a prompt that is repeated is at most 10 %
/// faster than others, as a cache of results would make it.
std::vector<Audit> audits(const MeasureResult& result);

/// "timings-valid": PASS, or INVALID with every reason: frequency scaling, throttling, other load, too few samples, not
/// warm, a noise floor above the tolerance, an audit that failed. A median's 95 % interval needs 6 samples.
Verdict timings_valid(const MeasureResult& result);
inline constexpr int64_t kLeastRepetitions = 6;

/// "weights-to-the-byte" and "peak-as-predicted" (5 %), then what `plumb verify` says of memory and latency against n,
/// for the first context and batch. On a device those of memory but the first are NOT RUN.
std::vector<Verdict> measured_verdicts(const MeasureResult& result);

std::vector<Record> measured_records(const MeasureResult& result);
/// measure.csv, samples.csv, benchmark.json.
std::vector<NamedFile> measured_files(const MeasureResult& result);
/// system, fingerprint, configurations, verdict, audits, noise floor: measure.json.
nlohmann::ordered_json measured_json(const MeasureResult& result, const Verdict& valid);

}  // namespace plumb::harness
