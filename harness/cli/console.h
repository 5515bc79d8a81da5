#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/verdict.h"

namespace plumb::harness {

enum class Format { kHuman, kJson, kQuiet };

/// Error{kUsage} for a name that is not human, json or quiet.
Format parse_format(const std::string& name);

/// `text` on one line and without control characters: names of models and files are not trusted.
std::string printable(std::string_view text);

/// What a command says and where: results on stdout (as text or as one JSON object), progress and warnings on stderr.
class Console {
 public:
  explicit Console(Format format);

  Format format() const { return format_; }
  void say(std::string_view line) const;                      ///< stdout, human only
  void result(const nlohmann::ordered_json& value) const;     ///< stdout, JSON only
  void warn(std::string_view line) const;                     ///< stderr, all but quiet
  void verdicts(const std::vector<Verdict>& verdicts) const;  ///< a coloured line each, human only

 private:
  Format format_;
  bool colour_;
};

/// Progress of one piece of work: a line that is rewritten on a terminal (with the time left), elsewhere one line per
/// 30 s; nothing when quiet. Every update looks for a signal and throws Interrupted. Of bytes it says the rate too, which
/// leaves out what was there at the first update.
class Progress {
 public:
  enum class Unit { kPieces, kBytes };
  Progress(const Console& console, std::string label, Unit unit = Unit::kPieces);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `said` stands in the line between the count and the time left.
  void update(int64_t done, int64_t all, const std::string& said = "");

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(int64_t done, int64_t all, const std::string& said) const;
  std::string label_;
  Unit unit_;
  int64_t first_ = -1;  // done at the first update
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point last_;
};

/// "41 s", "3 min 20 s", "22 h 54 min".
std::string duration_text(double seconds);
/// "98.4 MB".
std::string bytes_text(uint64_t bytes);
/// `digits` significant digits.
std::string number_text(double value, int digits = 4);
/// "[0.28, 0.35]" and "0.31 [0.28, 0.35]", three significant digits.
std::string interval_text(const Interval& interval);
std::string with_interval(double value, const Interval& interval);
/// "0.012", or "< 0.001": that a p is small is seen, how small a bootstrap's is not.
std::string p_text(double p);

}  // namespace plumb::harness
