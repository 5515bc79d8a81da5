#include "harness/fetch/http_transfer.h"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <mutex>
#include <utility>

#include "base/environment.h"
#include "base/error.h"

namespace plumb::harness {

namespace {

constexpr uint64_t kMostHeadBytes = 256 << 10;
constexpr uint64_t kMostDroppedBytes =
    64 << 10;  // of a body that nobody wants, for the connection's sake
constexpr double kLeastBytesPerSecond = 100;
constexpr int kPaceWindows = 3;
constexpr int kPollMs = 50;  // how soon a stop is seen

void start_libcurl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      throw Error(ErrorKind::kInternal, "libcurl does not start");
  });
}

/// A peer that goes away must not end the process: OpenSSL writes without MSG_NOSIGNAL. Handlers stay as they are.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipe() {
    if (sigismember(&before_, SIGPIPE) == 0) {
      const timespec none = {};
      while (sigtimedwait(&pipe_, nullptr, &none) > 0) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

 private:
  sigset_t pipe_ = {};
  sigset_t before_ = {};
};

class Headers {
 public:
  ~Headers() { curl_slist_free_all(list_); }
  Headers() = default;
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;
  void add(const std::string& line) {
    curl_slist* longer = curl_slist_append(list_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list_ = longer;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  if (const CURLcode code = curl_easy_setopt(easy, option, value); code != CURLE_OK)
    throw Error(ErrorKind::kInternal, text("libcurl refuses option ", static_cast<int>(option),
                                           ": ", curl_easy_strerror(code)));
}

bool is_certificate_failure(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_CERTPROBLEM ||
         code == CURLE_SSL_INVALIDCERTSTATUS;
}

}  // namespace

HttpClient::Transfer::Transfer(std::filesystem::path authorities)
    : authorities_(std::move(authorities)) {
  start_libcurl();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw Error(ErrorKind::kInternal, "libcurl gives no handle");
}

HttpClient::Transfer::~Transfer() { curl_multi_cleanup(multi_); }

void HttpClient::Transfer::set_options(const HttpRequest& request, curl_slist* headers) {
  const auto window = static_cast<long>(request.window.count());
  const char* protocols = request.url.scheme == "http" ? "http" : "https";
  set(easy_, CURLOPT_URL, request.url.text().c_str());
  set(easy_, CURLOPT_PATH_AS_IS, 1L);
  set(easy_, CURLOPT_PROTOCOLS_STR, protocols);
  set(easy_, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  set(easy_, CURLOPT_FOLLOWLOCATION, 0L);  // ours: the metadata are on the hop before
  set(easy_, CURLOPT_MAXREDIRS, 0L);
  set(easy_, CURLOPT_UNRESTRICTED_AUTH, 0L);
  set(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!authorities_.empty()) set(easy_, CURLOPT_CAINFO, authorities_.c_str());
  set(easy_, CURLOPT_NOSIGNAL, 1L);
  set(easy_, CURLOPT_CONNECTTIMEOUT_MS, window);
  set(easy_, CURLOPT_MAXFILESIZE_LARGE,
      static_cast<curl_off_t>(std::min<uint64_t>(request.most_bytes, INT64_MAX)));
  set(easy_, CURLOPT_BUFFERSIZE, 256L << 10);
  set(easy_, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  set(easy_, CURLOPT_USERAGENT, "plumb");
  set(easy_, CURLOPT_HTTPHEADER, headers);
  set(easy_, CURLOPT_NOBODY, request.head ? 1L : 0L);
  set(easy_, CURLOPT_ERRORBUFFER, words_);
  set(easy_, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(easy_, CURLOPT_HEADERDATA, this);
  set(easy_, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(easy_, CURLOPT_WRITEDATA, this);
  if (is_loopback(request.url))
    set(easy_, CURLOPT_NOPROXY, "*");  // no proxy is to see what stays here
}

HttpResponse HttpClient::Transfer::perform(const HttpRequest& request, const std::string& token,
                                           const HttpBody& body, const StopFlag& stop) {
  response_ = HttpResponse();
  response_.url = request.url;
  body_ = &body;
  most_bytes_ = request.most_bytes;
  head_bytes_ = dropped_bytes_ = pace_bytes_ = 0;
  announced_ = false;
  is_head_ = request.head;
  ended_.clear();
  thrown_ = nullptr;
  words_[0] = '\0';
  start_ = last_byte_ = pace_start_ = Clock::now();

  Headers headers;
  // A new handle for each request: one that was used may refuse options. Connections are the multi handle's.
  struct Easy {
    CURL*& handle;
    explicit Easy(CURL*& to) : handle(to) { handle = curl_easy_init(); }
    ~Easy() { curl_easy_cleanup(std::exchange(handle, nullptr)); }
  } const easy(easy_);
  if (easy_ == nullptr) throw Error(ErrorKind::kInternal, "libcurl gives no handle");
  headers.add("Accept-Encoding: identity");
  headers.add("Accept: */*");
  if (!token.empty()) headers.add("Authorization: Bearer " + token);
  if (request.from > 0) headers.add(text("Range: bytes=", request.from, "-"));
  if (request.from > 0 && !request.if_range.empty()) headers.add("If-Range: " + request.if_range);
  set_options(request, headers.get());
  const CURLcode code = run(request, stop);
  if (thrown_) std::rethrow_exception(thrown_);
  finish(code);
  return std::move(response_);
}

CURLcode HttpClient::Transfer::run(const HttpRequest& request, const StopFlag& stop) {
  const NoBrokenPipe no_signal;
  curl_multi_add_handle(multi_, easy_);
  struct Remove {  // ends the connection of an unfinished transfer
    CURLM* multi;
    CURL* easy;
    ~Remove() { curl_multi_remove_handle(multi, easy); }
  } const remove{multi_, easy_};
  for (;;) {
    if (stop) throw Stopped{};
    int running = 0;
    CURLMcode failed = curl_multi_perform(multi_, &running);
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi_, &left)) return message->data.result;
    if (failed == CURLM_OK && is_stalled(request.window)) return CURLE_OPERATION_TIMEDOUT;
    if (failed == CURLM_OK) failed = curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr);
    if (failed != CURLM_OK)
      throw Error(ErrorKind::kInternal, text("libcurl stopped: ", curl_multi_strerror(failed)));
  }
}

bool HttpClient::Transfer::is_stalled(std::chrono::milliseconds window) {
  const auto now = Clock::now();
  if (now - last_byte_ > window) {
    ended_ = text("nothing came for ", window.count(), " ms");
    return true;
  }
  if (now - pace_start_ <= kPaceWindows * window) return false;
  const double seconds = std::chrono::duration<double>(now - pace_start_).count();
  if (static_cast<double>(pace_bytes_) < kLeastBytesPerSecond * seconds) {
    ended_ = text("less than ", kLeastBytesPerSecond, " bytes per second came");
    return true;
  }
  pace_start_ = now;
  pace_bytes_ = 0;
  return false;
}

size_t HttpClient::Transfer::on_header(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  try {
    transfer.take_header({data, size * count});
    return transfer.ended_.empty() ? size * count : 0;
  } catch (...) {
    transfer.thrown_ = std::current_exception();
    return 0;
  }
}

void HttpClient::Transfer::take_header(std::string_view line) {
  last_byte_ = Clock::now();
  pace_bytes_ += line.size();
  head_bytes_ += line.size();
  if (head_bytes_ > kMostHeadBytes) {
    ended_ = text("the head of the response is longer than ", kMostHeadBytes, " bytes");
    return;
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' '))
    line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // also the one after a 100 Continue
    response_.headers.clear();
    const size_t space = line.find(' ');
    const std::string_view digits = space == line.npos ? "" : line.substr(space + 1, 3);
    response_.status = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), response_.status);
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  line.remove_prefix(colon + 1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  response_.headers[name] = line;
}

size_t HttpClient::Transfer::on_body(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  try {
    return transfer.take_body(std::as_bytes(std::span(data, size * count))) ? size * count : 0;
  } catch (...) {
    transfer.thrown_ = std::current_exception();
    return 0;
  }
}

void HttpClient::Transfer::announce() {
  if (announced_) return;
  announced_ = true;
  const std::string encoding = response_.header("content-encoding");
  if (!encoding.empty() && encoding != "identity")
    throw Error(ErrorKind::kInput, text("'", response_.url.shown(),
                                        "' sent encoded bytes (Content-Encoding), needed "
                                        "plain ones; is there a proxy that changes them?"));
  if (body_->head) body_->head(response_);
}

bool HttpClient::Transfer::take_body(std::span<const std::byte> bytes) {
  last_byte_ = Clock::now();
  pace_bytes_ += bytes.size();
  if (response_.status != 200 && response_.status != 206) {
    dropped_bytes_ += bytes.size();
    if (dropped_bytes_ > kMostDroppedBytes) ended_ = "dropped";
    return ended_.empty();
  }
  announce();
  if (response_.body_bytes + bytes.size() > most_bytes_) {
    response_.end = HttpEnd::kTooLong;
    ended_ = text("more than the ", most_bytes_, " bytes that were expected came");
    return false;
  }
  response_.body_bytes += bytes.size();
  if (body_->bytes) body_->bytes(bytes);
  return true;
}

void HttpClient::Transfer::finish(CURLcode code) {
  if (code == CURLE_OK || ended_ == "dropped") {
    response_.end = HttpEnd::kAnswered;
    if (!is_head_ && (response_.status == 200 || response_.status == 206)) announce();
    return;
  }
  curl_off_t ready_us = 0;  // 0: the connection was never made
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
  const bool connected = ready_us > 0;
  const std::string words = words_[0] != '\0' ? words_ : curl_easy_strerror(code);
  const std::string where = text("'", response_.url.shown(), "'");
  if (is_certificate_failure(code))
    throw Error(ErrorKind::kNetwork, text(where, " has no certificate that holds (", words,
                                          "); if a proxy of yours signs, name its "
                                          "certificates in SSL_CERT_FILE"));
  if (code == CURLE_FILESIZE_EXCEEDED) {
    response_.end = HttpEnd::kTooLong;
    ended_ = "more bytes than can be were announced";
  } else if (response_.end != HttpEnd::kTooLong) {
    response_.end = connected ? HttpEnd::kCut : HttpEnd::kUnreachable;
  }
  response_.failure = text(where, ": ", ended_.empty() ? words : ended_);
}

}  // namespace plumb::harness
