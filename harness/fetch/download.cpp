#include "harness/fetch/download.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/remembered_hash.h"
#include "harness/cli/console.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

constexpr int kMostRestarts = 1;  // bytes that are wrong twice are not wrong by chance

/// Bytes that a try must have brought for the count of failures to start again: with it the number of tries has a bound.
uint64_t worth_counting(uint64_t size_bytes) {
  return std::clamp<uint64_t>(size_bytes / 64, 1, uint64_t{1} << 20);
}

/// Thrown within a transfer whose bytes cannot be the wanted ones.
struct WrongBytes {
  std::string found;
};

class Download {
 public:
  Download(HubClient& client, const HubSettings& settings, const BlobOrder& order,
           PartialFile& part, DownloadCount& count, const StopFlag& stop)
      : client_(client),
        settings_(settings),
        order_(order),
        part_(part),
        count_(count),
        patience_(settings, stop) {}

  /// Until all bytes are there and right.
  void run() {
    for (;;) {
      try {
        while (part_.size() < wanted()) once();
        if (part_.is_right()) return;
        throw WrongBytes{text(wanted(), " bytes with another hash came")};
      } catch (const WrongBytes& wrong) {
        start_over(wrong.found);
      }
    }
  }

 private:
  uint64_t wanted() const { return order_.metadata.size_bytes; }
  std::string what() const { return text("'", order_.name, "' of '", shown(order_.id), "'"); }

  void start_over(const std::string& found) {
    part_.restart();
    count_.here = 0;
    best_ = 0;
    if (restarts_++ < kMostRestarts) return;
    part_.remove();
    throw Error(
        ErrorKind::kInput,
        text(what(), " is not what the Hub said: ", found, ", needed ", wanted(), " bytes with ",
             order_.metadata.etag.size() == 40 ? "git hash " : "sha256 ", order_.metadata.etag,
             "; nothing was kept. Is there a login page, a proxy or a damaged mirror in between?"));
  }

  void once() {
    HttpRequest request;
    request.url = client_.file_url(order_.id, order_.commit, order_.name);
    request.window = settings_.stall_timeout;
    request.from = part_.size();
    request.most_bytes = wanted();
    request.if_range = order_.metadata.validator;
    const HttpBody body{[&](const HttpResponse& response) { check_head(response, request.from); },
                        [&](std::span<const std::byte> bytes) { take(bytes); }};
    const HttpResponse response = client_.http().send(request, body);
    const bool good =
        response.end == HttpEnd::kAnswered && (response.status == 200 || response.status == 206);
    if (part_.size() == wanted() && response.end != HttpEnd::kTooLong) return;
    if (response.end == HttpEnd::kTooLong) throw WrongBytes{response.failure};
    if (response.answered(416))
      throw WrongBytes{text("the server has no bytes from ", request.from, " on")};
    const bool progress = part_.size() >= best_ + worth_counting(wanted());
    best_ = std::max(best_, part_.size());
    if (!good && !is_worth_another_try(response)) client_.refuse(response, order_.id, what());
    if (patience_.again(response, progress)) return;
    if (!good) client_.refuse(response, order_.id, what());
    throw Error(ErrorKind::kNetwork,
                text(what(), " ended after ", part_.size(), " of ", wanted(),
                     " bytes, again and again; run it again later, it goes on there"));
  }

  /// Refuses what cannot be the wanted bytes before one of them is written.
  void check_head(const HttpResponse& response, uint64_t from) {
    const auto length = response.content_length();
    if (response.status == 206) {
      const std::string header = response.header("content-range");
      const auto range = content_range(header);
      if (!range || range->first != from || range->last >= wanted() ||
          (range->size && *range->size != wanted()))
        throw WrongBytes{text("the range '", printable(header.substr(0, 100)),
                              "' came when bytes from ", from, " on were asked for")};
      if (length && *length != range->last - range->first + 1)
        throw WrongBytes{text(*length, " bytes were announced for the range '",
                              printable(header.substr(0, 100)), "'")};
      return;
    }
    if (length && *length != wanted()) throw WrongBytes{text(*length, " bytes were announced")};
    if (part_.size() > 0) part_.restart();  // all of it comes, from the start
    count_.here = 0;
  }

  void take(std::span<const std::byte> bytes) {
    if (part_.size() + bytes.size() > wanted())
      throw WrongBytes{text("more than ", wanted(), " bytes came")};
    part_.append(bytes);
    count_.here = part_.size();
    count_.fetched += bytes.size();
  }

  HubClient& client_;
  const HubSettings& settings_;
  const BlobOrder& order_;
  PartialFile& part_;
  DownloadCount& count_;
  Patience patience_;
  uint64_t best_ = 0;
  int restarts_ = 0;
};

}  // namespace

std::optional<ContentRange> content_range(std::string_view header) {
  if (!header.starts_with("bytes ")) return std::nullopt;
  const char* at = header.data() + 6;
  const char* const end = header.data() + header.size();
  ContentRange out;
  const auto number = [&](uint64_t& value, char after) {
    const auto [next, status] = std::from_chars(at, end, value);
    if (status != std::errc() || (after == '\0' ? next != end : next == end || *next != after))
      return false;
    at = next + (after == '\0' ? 0 : 1);
    return true;
  };
  if (!number(out.first, '-') || !number(out.last, '/') || out.last < out.first)
    return std::nullopt;
  if (std::string_view(at, static_cast<size_t>(end - at)) == "*") return out;
  uint64_t size = 0;
  if (!number(size, '\0') || out.last >= size) return std::nullopt;
  out.size = size;
  return out;
}

bool has_blob(const RepositoryCache& cache, const FileMetadata& metadata) {
  std::error_code failed;
  const fs::path blob = cache.blob(metadata.etag);
  return fs::is_regular_file(fs::symlink_status(blob, failed)) &&
         fs::file_size(blob, failed) == metadata.size_bytes && !failed;
}

void download_blob(const RepositoryCache& cache, HubClient& client, const HubSettings& settings,
                   const BlobOrder& order, DownloadCount& count, const StopFlag& stop) {
  const FileMetadata& wanted = order.metadata;
  const FileLock lock(cache.lock(wanted.etag), stop);
  if (!has_blob(cache, wanted)) {
    // Without a lock others may write too, so the part is this process' own and is not resumed by another.
    const std::string mine = lock.is_held() ? wanted.etag : text(wanted.etag, ".", ::getpid());
    PartialFile part(cache.part(mine), wanted.etag, wanted.size_bytes, stop);
    count.here = part.size();
    Download(client, settings, order, part, count, stop).run();
    part.publish(cache.blob(wanted.etag));
    remember_sha256(cache.blob(wanted.etag), wanted.etag);  // of an etag that is one
  }
  count.here = wanted.size_bytes;
}

}  // namespace plumb::harness
