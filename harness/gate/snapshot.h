#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/record.h"
#include "harness/answers/answer_log.h"

namespace plumb::harness {

/// Facts that two sides must share where a comparison rests on them; by name, so in one order everywhere.
using FactMap = std::map<std::string, std::string>;

/// A number of each document by one plan, of the same documents in every repetition of a run.
struct DocumentSeries {
  std::string metric;              ///< "loss_nats", "kl_nats", "same_top1", "healed_loss_nats"
  std::string plan;                ///< "similarity:7"
  std::string removed;             ///< "12-18"
  std::vector<int64_t> documents;  ///< rows in the text, rising
  std::vector<double> values;      ///< of each
  /// Largest difference of two repetitions' means; none where there was one run.
  std::optional<double> noise_floor = {};
};

/// Numbers of one plan that differ from repetition to repetition: times in ms, or bytes (one a run).
struct RepeatedSeries {
  std::string metric;                     ///< "prefill_ms", "peak_resident_bytes"
  std::string plan;                       ///< "simple:0"
  std::vector<std::vector<double>> runs;  ///< of each repetition of the run
};

/// A number that has an interval and no samples.
struct Estimate {
  std::string metric;  ///< "f0", "healed_accuracy"
  std::string task;
  std::string plan;
  double value = 0;
  Interval interval;
};

/// Everything of a run that a gate compares.
struct GateSnapshot {
  std::string source;  ///< name of the folder or file, without the folders above it
  FactMap model, loss, cost, system;
  std::vector<DocumentSeries> documents;
  std::vector<RepeatedSeries> repeated;
  std::vector<Estimate> estimates;
  std::optional<AnswerLog> answers;
  std::map<std::string, std::string> absent;  ///< "f0", "simple:7 kl_nats": why there is no number
  std::vector<std::string> invalid;  ///< why nothing may be concluded from it; empty: it may

  std::string model_sha256() const;
};

/// The files at the top of a run folder: results.json, provenance.json (of results before 1.1), loss_documents.csv,
/// healed_documents.csv, questions/*.jsonl. Error{kInput} naming the file: none or cut short, of a newer major version, or
/// of another run than the rest.
GateSnapshot read_run_snapshot(const std::filesystem::path& folder);

/// A baseline file, or a run folder. Error{kIncomparable} where there is none.
GateSnapshot read_snapshot(const std::filesystem::path& path);

/// Repetitions of one run as one snapshot: documents and answers of the first, times and bytes of all, noise floors from
/// their differences. Error{kIncomparable} with the fact that differs where they are not repetitions of each other;
/// Error{kUsage} where two have the same times, as a run and its copy.
GateSnapshot joined(std::vector<GateSnapshot> runs);

/// Run folders, joined.
GateSnapshot joined_runs(const std::vector<std::string>& folders);

/// "prefill tokens: 64 and 256" for the first fact of either side that differs, or empty. `left_out`: facts that may differ.
std::string first_difference(const FactMap& a, const FactMap& b,
                             const std::vector<std::string>& left_out = {});

}  // namespace plumb::harness
