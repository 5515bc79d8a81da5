#include "harness/processes/lifeline.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace plumb::harness {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kAcceptMs = 10'000, kConnectMs = 2'000;
/// How long an error of another rank waits for rank 0's own, which is then the one that is said. A signal goes to all.
constexpr int kOwnErrorMs = 1'000, kOwnSignalMs = 5'000;
constexpr uint32_t kLongestMessage = 1 << 16;

enum class Kind : char { kGoodbye = 'G', kError = 'E', kEnd = 'X' };

struct Header {
  Kind kind = Kind::kGoodbye;
  int32_t code = 0;
  uint32_t length = 0;
};

struct Greeting {
  char token[16] = {};
  int32_t rank = 0;
};

bool send_all(int socket, const void* data, size_t bytes) noexcept {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t sent = ::send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent <= 0) {
      if (sent < 0 && errno == EINTR) continue;
      return false;
    }
    at += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}

bool take_all(int socket, void* data, size_t bytes) noexcept {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::recv(socket, at, bytes, 0);
    if (got <= 0) {
      if (got < 0 && errno == EINTR) continue;
      return false;
    }
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

void tell(int socket, Kind kind, int code, const std::string& message) noexcept {
  const auto length = static_cast<uint32_t>(std::min<size_t>(message.size(), kLongestMessage));
  const Header header{kind, code, length};
  if (send_all(socket, &header, sizeof header)) send_all(socket, message.data(), length);
}

/// A machine that vanishes closes nothing: the system asks after 10 s of silence, and gives up after 30 more.
void keep_alive(int socket) {
  const int on = 1, idle = 10, interval = 10, count = 3;
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

bool comes(int socket, short what, int within_ms) {
  pollfd one{socket, what, 0};
  const auto until = Clock::now() + milliseconds(within_ms);
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    const int found = ::poll(&one, 1, static_cast<int>(std::max<long>(0, left)));
    if (found > 0) return true;
    if (found == 0 || errno != EINTR) return false;
  }
}

/// IPv4 addresses of this machine, the loopback left out.
void list_addresses(Lifeline::Address& address) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return;
  size_t count = 0;
  for (const ifaddrs* one = all; one != nullptr && count < std::size(address.addresses);
       one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    const auto* ip = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (ntohl(ip->sin_addr.s_addr) >> 24 == 127) continue;
    ::inet_ntop(AF_INET, &ip->sin_addr, address.addresses[count++], sizeof address.addresses[0]);
  }
  ::freeifaddrs(all);
}

/// A socket that is connected, or -1.
int connect_to(const char* ip, uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  if (::inet_pton(AF_INET, ip, &place.sin_addr) != 1) return -1;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  int status = ::connect(socket, reinterpret_cast<sockaddr*>(&place), sizeof place);
  if (status != 0 && errno == EINPROGRESS && comes(socket, POLLOUT, kConnectMs)) {
    socklen_t size = sizeof status;
    if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &status, &size) != 0) status = -1;
  }
  if (status != 0) {
    ::close(socket);
    return -1;
  }
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) & ~O_NONBLOCK);
  return socket;
}

}  // namespace

Lifeline::Lifeline(int count, Names names) : rank_(0), count_(count), names_(std::move(names)) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof place;
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&place), size) != 0 ||
      ::listen(listener_, count) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&place), &size) != 0 ||
      ::getrandom(address_.token, sizeof address_.token, 0) != sizeof address_.token)
    return;  // port 0: nobody comes, which is said
  address_.port = ntohs(place.sin_port);
  list_addresses(address_);
}

std::vector<int> Lifeline::accept_all() {
  std::vector<bool> there(static_cast<size_t>(count_), false);
  const auto until = Clock::now() + milliseconds(kAcceptMs);
  while (address_.port != 0 && std::ssize(connections_) < count_ - 1) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    if (left <= 0 || !comes(listener_, POLLIN, static_cast<int>(left))) break;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    Greeting greeting;
    const bool mine =
        comes(socket, POLLIN, kConnectMs) && take_all(socket, &greeting, sizeof greeting) &&
        std::memcmp(greeting.token, address_.token, sizeof greeting.token) == 0 &&
        greeting.rank > 0 && greeting.rank < count_ && !there[static_cast<size_t>(greeting.rank)];
    if (!mine) {
      ::close(socket);
      continue;
    }
    keep_alive(socket);
    there[static_cast<size_t>(greeting.rank)] = true;
    connections_.push_back({greeting.rank, socket, false});
  }
  if (listener_ >= 0) ::close(listener_);
  listener_ = -1;
  std::vector<int> absent;
  for (int rank = 1; rank < count_; ++rank)
    if (!there[static_cast<size_t>(rank)]) absent.push_back(rank);
  return absent;
}

Lifeline::Lifeline(int rank, int count, Names names, const Address& first,
                   const std::string& machine)
    : rank_(rank), count_(count), names_(std::move(names)), address_(first) {
  if (first.port == 0) return;
  int socket = machine == first.machine ? connect_to("127.0.0.1", first.port) : -1;
  for (size_t i = 0; socket < 0 && i < std::size(first.addresses) && first.addresses[i][0]; ++i)
    socket = connect_to(first.addresses[i], first.port);
  if (socket < 0) return;
  Greeting greeting;
  std::memcpy(greeting.token, first.token, sizeof greeting.token);
  greeting.rank = rank;
  if (!send_all(socket, &greeting, sizeof greeting)) {
    ::close(socket);
    return;
  }
  keep_alive(socket);
  connections_.push_back({0, socket, false});
}

Lifeline::~Lifeline() {
  if (thread_.joinable()) {
    const char byte = 0;
    if (::write(wake_[1], &byte, 1) == 1)
      thread_.join();
    else
      thread_.detach();
  }
  for (const Connection& one : connections_)
    if (one.socket >= 0) ::close(one.socket);
  for (const int fd : {wake_[0], wake_[1], listener_})
    if (fd >= 0) ::close(fd);
}

void Lifeline::watch() {
  if (connections_.empty() || ::pipe2(wake_, O_CLOEXEC) != 0) return;
  // Signals are for the main thread, whose waits they end.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Lifeline::run() noexcept {
  std::vector<pollfd> places;
  for (;;) {
    places.assign(1, {wake_[0], POLLIN, 0});
    for (const Connection& one : connections_)
      places.push_back({one.ended ? -1 : one.socket, POLLIN, 0});
    if (::poll(places.data(), places.size(), -1) < 0) continue;
    if (places[0].revents != 0) return;
    for (size_t i = 0; i < connections_.size(); ++i)
      if (places[i + 1].revents != 0) hear(connections_[i]);
  }
}

void Lifeline::hear(Connection& from) noexcept {
  Header header;
  std::string message;
  bool whole = take_all(from.socket, &header, sizeof header) && header.length <= kLongestMessage;
  if (whole) {
    message.resize(header.length);
    whole = take_all(from.socket, message.data(), header.length);
  }
  if (!whole && failing_) leave(static_cast<int>(ErrorKind::kResource), "");
  if (!whole)
    // Of those that live, one says it.
    return leave(static_cast<int>(ErrorKind::kResource),
                 rank_ > 1 ? ""
                           : names_(from.rank) +
                                 " died: it was killed, or its machine is gone. The other ranks "
                                 "end as well; what was finished is kept, and the same command "
                                 "goes on from it");
  if (header.kind == Kind::kGoodbye) {
    from.ended = true;
  } else if (header.kind == Kind::kEnd) {
    leave(header.code, "");
  } else {
    report(from.rank, header.code, message);
    from.ended = true;
  }
}

void Lifeline::report(int rank, int code, const std::string& message) noexcept {
  // What is wrong with the command line, a file or the machine most often stops all of them.
  const int within = code > 128 ? kOwnSignalMs : kOwnErrorMs;
  for (int waited = 0; waited < within; waited += 10) {
    if (failing_) return;
    std::this_thread::sleep_for(milliseconds(10));
  }
  leave(code, names_(rank) + ": " + message);
}

void Lifeline::leave(int code, const std::string& message) noexcept {
  while (leaving_.test_and_set()) ::pause();  // the other thread is at it, and ends both
  if (!message.empty()) {
    const std::string line = "plumb: " + message + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
  std::fflush(nullptr);
  if (rank_ == 0)
    for (const Connection& one : connections_) tell(one.socket, Kind::kEnd, code, "");
  // Not exit: the main thread may be anywhere, and MPI would wait for the dead.
  ::_exit(code);
}

void Lifeline::end() {
  if (thread_.joinable()) {
    const char byte = 0;
    if (::write(wake_[1], &byte, 1) == 1) thread_.join();
  }
  for (const Connection& one : connections_) tell(one.socket, Kind::kGoodbye, 0, "");
}

void Lifeline::fail(int code, const std::string& message) noexcept {
  failing_ = true;
  if (rank_ == 0) leave(code, message);
  if (connections_.empty() || !thread_.joinable()) leave(code, names_(rank_) + ": " + message);
  tell(connections_.front().socket, Kind::kError, code, message);
  // Rank 0 says it and ends all; where it does not, it is said here.
  std::this_thread::sleep_for(milliseconds(kOwnSignalMs + 2 * kOwnErrorMs));
  leave(code, names_(rank_) + ": " + message);
}

}  // namespace plumb::harness
