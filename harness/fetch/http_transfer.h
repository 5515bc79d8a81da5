#pragma once

#include <curl/curl.h>

#include <filesystem>

#include "harness/fetch/http.h"

namespace plumb::harness {

/// One request and its response over libcurl, without redirects and tries; the connection is kept for the next.
class HttpClient::Transfer {
 public:
  explicit Transfer(std::filesystem::path authorities);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Sends `token` where it is not empty. Errors as HttpClient.
  HttpResponse perform(const HttpRequest& request, const std::string& token, const HttpBody& body,
                       const StopFlag& stop);

 private:
  using Clock = std::chrono::steady_clock;

  void set_options(const HttpRequest& request, curl_slist* headers);
  CURLcode run(const HttpRequest& request, const StopFlag& stop);
  bool is_stalled(std::chrono::milliseconds window);
  void take_header(std::string_view line);
  bool take_body(std::span<const std::byte> bytes);
  void finish(CURLcode code);
  void announce();

  static size_t on_header(char* data, size_t size, size_t count, void* self);
  static size_t on_body(char* data, size_t size, size_t count, void* self);

  std::filesystem::path authorities_;
  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  char words_[CURL_ERROR_SIZE] = {};  // libcurl's own about a failure

  // Of the transfer that runs:
  HttpResponse response_;
  const HttpBody* body_ = nullptr;
  uint64_t most_bytes_ = 0;
  uint64_t head_bytes_ = 0;
  uint64_t dropped_bytes_ = 0;
  bool announced_ = false;
  bool is_head_ = false;
  std::string ended_;  // why this side ended it, or empty
  std::exception_ptr thrown_;
  Clock::time_point start_;
  Clock::time_point last_byte_;
  Clock::time_point pace_start_;
  uint64_t pace_bytes_ = 0;
};

}  // namespace plumb::harness
