#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace plumb::harness {

/// How ranks know of each other's end: every rank holds a TCP connection to rank 0. The kernel closes it with its process,
/// whatever ended that, and a thread that waits for nothing else sees it within milliseconds, whatever the main thread and
/// MPI are doing. So a rank that dies is named by those that live, and none waits for it forever.
///
/// The connections carry nothing but how a rank ended. Rank 0 listens on a port that the system chose, and drops who does not
/// begin with 16 bytes that were drawn for this command and went to the ranks by MPI.
class Lifeline {
 public:
  /// What rank 0's address must tell the others.
  struct Address {
    uint16_t port = 0;
    char token[16] = {};
    char machine[40] = {};        ///< of rank 0: where it is one's own, the loopback is tried first
    char addresses[16][46] = {};  ///< in text, the others after the first that is empty
  };
  /// Name of a rank for messages.
  using Names = std::function<std::string(int rank)>;

  /// On rank 0: begins to listen.
  Lifeline(int count, Names names);
  const Address& address() const { return address_; }
  /// On rank 0: waits at most 10 s for the others; gives those that did not come.
  std::vector<int> accept_all();
  /// On the others: connects. Without a connection nothing is watched.
  Lifeline(int rank, int count, Names names, const Address& first, const std::string& machine);
  bool is_connected() const { return rank_ == 0 || !connections_.empty(); }
  ~Lifeline();
  Lifeline(const Lifeline&) = delete;
  Lifeline& operator=(const Lifeline&) = delete;

  /// Watches from here on.
  void watch();
  /// From here on an end of others is no failure.
  void end();
  /// See Processes::fail.
  [[noreturn]] void fail(int code, const std::string& message) noexcept;

 private:
  struct Connection {
    int rank = 0;
    int socket = -1;
    bool ended = false;  ///< it said goodbye
  };
  void run() noexcept;
  void hear(Connection& from) noexcept;
  void report(int rank, int code, const std::string& message) noexcept;
  [[noreturn]] void leave(int code, const std::string& message) noexcept;

  int rank_, count_;
  Names names_;
  Address address_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};  ///< a pipe: tells the thread to end
  std::vector<Connection> connections_;
  std::atomic<bool> failing_ = false;  ///< the main thread says why
  std::atomic_flag leaving_;
  std::thread thread_;
};

}  // namespace plumb::harness
