#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace plumb::harness {

struct MpiTable;
class Lifeline;

/// Who a process is, for messages and for sharing its machine.
struct ProcessFacts {
  int rank = 0;
  int64_t id = 0;  ///< of the operating system
  std::string host;
  int here = 1;         ///< processes of the command on its machine
  int place = 0;        ///< its number among them, from 0
  int64_t threads = 1;  ///< its share of the machine's cores
};

/// The processes that a launcher (mpirun, srun) started to run one command together, called ranks, from 0. A process that
/// was started alone is rank 0 of 1, and everything below returns at once.
///
/// Rank 0 takes the output folder, writes the results and speaks; the others compute. Functions that several take part in
/// ("all") must be called by all of them in the same order, from one thread.
///
/// A rank that dies ends the others: each rank holds a connection to rank 0 that the kernel closes with the process
/// (harness/processes/lifeline.h), and the message names it. Errors: Error{kResource} where MPI fails; Interrupted where a
/// signal came while others were waited for.
class Processes {
 public:
  /// This process alone.
  Processes();
  /// Those of the launcher that started this process; alone where none did. Once, and until the process ends: a failure is
  /// told to the others when all else is gone. Error{kResource} where it started several and MPI cannot be had, with the reason
  /// and what to do.
  static Processes& of_launcher();
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  int rank() const { return rank_; }
  int count() const { return count_; }
  bool is_first() const { return rank_ == 0; }
  bool are_several() const { return count_ > 1; }
  const ProcessFacts& facts() const { return facts_[static_cast<size_t>(rank_)]; }
  /// "rank 1 of 4 (node7, process 4711)"
  std::string name(int rank) const;
  /// Threads that every rank can have: the least of their shares.
  int64_t threads() const;

  /// All: `values` of each, in the order of their ranks; of equal sizes, a multiple of 4 bytes.
  template <typename T>
  std::vector<T> gather(std::span<const T> values) const {
    std::vector<T> out(values.size() * static_cast<size_t>(count_));
    gather_bytes(values.data(), out.data(), values.size_bytes());
    return out;
  }
  /// All: part r of `send` to rank r, what each sent here into `receive`. Bytes of a part, a multiple of 4.
  void exchange(const void* send, void* receive, uint64_t bytes) const;
  void gather_bytes(const void* send, void* receive, uint64_t bytes) const;
  /// All: rank 0's to all.
  void broadcast(void* data, uint64_t bytes) const;
  std::string broadcast(const std::string& words) const;
  /// All: throws Interrupted where any of them was sent a signal.
  void stop_together() const;
  /// All: `work` by rank 0 first, then by the others: for what one process can do for all that see its disk.
  void first_then_others(const std::function<void()>& work) const;
  /// All: Error{kUsage} naming rank and differences where one has other words than rank 0, which are JSON of one level.
  void require_same(const std::string& json, const std::string& what) const;

  /// From a rank other than 0 to rank 0, without waiting.
  void send_to_first(std::span<const char> bytes) const;
  /// Lets what is on its way go on. On rank 0: a message that has come, or none.
  bool take_message(std::vector<char>& bytes) const;

  /// All, at the end of a command that went well: none leaves before all are there.
  void end();
  /// Ends a command that failed: rank 0 says `message`, the others are told; another rank's is said by rank 0, unless that
  /// fails by itself. Does not return where there are several.
  void fail(int code, const std::string& message) noexcept;

 private:
  void require(const char* reason) const;
  void learn_facts();

  const MpiTable* table_ = nullptr;
  int rank_ = 0, count_ = 1;
  std::vector<ProcessFacts> facts_;
  std::unique_ptr<Lifeline> lifeline_;
};

/// Those of of_launcher where they are several and have not ended, else nullptr: for who explains a failure.
Processes* running_processes() noexcept;

}  // namespace plumb::harness
