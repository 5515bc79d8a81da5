#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/journal.h"
#include "harness/cli/console.h"
#include "harness/pipeline/publish.h"
#include "harness/pipeline/run_lock.h"
#include "pruning/sweep/step_log.h"

namespace plumb::harness {

/// Every name whose value differs, with both: "threads (1, now 2)"; empty where none does.
std::string key_differences(const nlohmann::ordered_json& now, const nlohmann::ordered_json& then);
/// Error{kUsage} naming every name whose value differs between what a run is of `now` and what it was when it wrote the file
/// at `path`.
void require_same_key(const nlohmann::ordered_json& now, const nlohmann::ordered_json& then,
                      const std::filesystem::path& path);

/// What is finished of a command's work, in `<out>/.stages/<command>.journal`: the same command,
/// given again after it was interrupted or killed, goes on from there, and its results are the
/// bytes of a run that was not. The unit is a step of a sweep (pruning/sweep/step_log.h): the
/// documents of one product or a pack of questions, by all plans. A step is on disk before the next
/// one begins; one that was interrupted is computed again whole. The first line is the key:
/// everything that decides a step's numbers. Numbers are kept by their bits.
///
/// While there is no result `<out>/partial.json` counts the finished steps. Journal and
/// partial.json go when the results stand: kept, they would refuse every later run with other
/// settings. A journal without a step goes as well.
///
/// Errors: Error{kUsage} naming what differs where the journal is another run's; Error{kResource}
/// where it cannot be written, after which what stood in it stands.
class WorkJournal {
 public:
  /// `key`: names to what they are now; not nested. `fresh` begins anew whatever is there.
  WorkJournal(const std::filesystem::path& out, const std::string& command,
              const nlohmann::ordered_json& key, bool fresh, const Console& console);
  ~WorkJournal();
  WorkJournal(const WorkJournal&) = delete;
  WorkJournal& operator=(const WorkJournal&) = delete;

  /// For the one sweep of that name, such as "loss". Lives as long as this.
  pruning::StepLog log(const std::string& sweep);
  int64_t resumed_steps() const { return resumed_; }
  /// Publishes the results; there is no journal then.
  void publish(const std::vector<NamedFile>& files, const std::vector<LargeFile>& large);

 private:
  struct Progress {
    int64_t done = 0, all = 0;
  };
  void read(const nlohmann::ordered_json& key, bool fresh);
  void add(const std::string& sweep, size_t step, std::span<const double> numbers);
  void write_partial();

  std::filesystem::path out_;
  std::string command_;
  const Console& console_;
  Journal journal_;
  std::map<std::pair<std::string, size_t>, std::vector<double>> kept_;
  std::vector<std::pair<std::string, Progress>> sweeps_;  ///< in the order in which they began
  int64_t resumed_ = 0, steps_ = 0;
  bool published_ = false;
};

}  // namespace plumb::harness
