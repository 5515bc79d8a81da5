#include "harness/pipeline/machine_speed.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/output_file.h"
#include "base/system_files.h"
#include "fixtures/synthetic/shaped_decoder.h"
#include "harness/cli/console.h"
#include "harness/pipeline/memory_plan.h"
#include "metrics/cost/arithmetic.h"

namespace plumb::harness {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMostParameters = int64_t{1} << 26;  // of a measured block
constexpr int64_t kWeightBytes = int64_t{256}
                                 << 20;  // of all measured blocks: more than caches hold
constexpr double kSeconds = 0.4;         // of each measurement, at least one call

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds of a call: the fastest, as the rest is other load; the first is not counted.
template <typename Call>
double seconds_of(const Call& call) {
  call();
  double fastest = INFINITY;
  for (double all = 0; all < kSeconds;) {
    const auto start = Clock::now();
    call();
    const double seconds = seconds_since(start);
    fastest = std::min(fastest, seconds);
    all += seconds;
  }
  return fastest;
}

int64_t scaled(int64_t value, double factor, int64_t multiple) {
  const double parts =
      std::round(static_cast<double>(value) * factor / static_cast<double>(multiple));
  return std::max<int64_t>(1, static_cast<int64_t>(parts)) * multiple;
}

/// The same proportions with blocks of at most kMostParameters, and a vocabulary whose head is no larger.
models::ModelConfig measurable(models::ModelConfig c, models::Dtype dtype) {
  const auto parameters = static_cast<double>(metrics::block_parameters(c));
  const double factor = std::sqrt(static_cast<double>(kMostParameters) / parameters);
  if (factor < 1) {
    const int64_t group = c.head_count / c.kv_head_count;
    c.kv_head_count = scaled(c.kv_head_count, factor, 1);
    c.head_count = c.kv_head_count * group;
    c.width = scaled(c.width, factor, 64);
    c.feed_forward_width = scaled(c.feed_forward_width, factor, 64);
  }
  c.vocabulary_size = std::min(c.vocabulary_size, std::max<int64_t>(1, kMostParameters / c.width));
  const int64_t bytes = metrics::block_parameters(c) * (dtype == models::Dtype::kBf16 ? 2 : 4);
  c.block_count = std::clamp<int64_t>((kWeightBytes + bytes - 1) / bytes, 1, c.block_count);
  return c;
}

constexpr size_t kReadPiece = size_t{1} << 20;
constexpr int64_t kReadWords = kReadPiece / sizeof(uint64_t);

/// Sums a piece in eight accumulators, so that the additions do not wait for each other.
uint64_t sum_of_piece(const uint64_t* values) {
  uint64_t part[8] = {};
  for (int64_t i = 0; i < kReadWords; i += 8)
    for (int64_t j = 0; j < 8; ++j) part[j] += values[i + j];
  uint64_t sum = 0;
  for (const uint64_t one : part) sum += one;
  return sum;
}

/// Of the first processor, as Linux tells; 0 where it does not.
uint64_t largest_cache_bytes() {
  uint64_t largest = 0;
  const std::filesystem::path folder = "/sys/devices/system/cpu/cpu0/cache";
  for (const std::string& index : system_files::names_in(folder, "index")) {
    const std::string size = system_files::first_line(folder / index / "size");
    const uint64_t unit = size.ends_with('K') ? 1u << 10 : size.ends_with('M') ? 1u << 20 : 1;
    largest =
        std::max(largest, static_cast<uint64_t>(system_files::number(size).value_or(0)) * unit);
  }
  return largest;
}

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value_ < 0) fail(path);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const { return value_; }
  [[noreturn]] static void fail(const std::filesystem::path& path) {
    throw Error(ErrorKind::kResource,
                text("the disk's speed cannot be measured with ", path.filename(), ": ",
                     std::generic_category().message(errno)));
  }

 private:
  int value_;
};

double timed_read(const std::filesystem::path& path, std::vector<std::byte>& piece) {
  const Descriptor file(path);
  if (const int error = ::posix_fadvise(file.value(), 0, 0, POSIX_FADV_DONTNEED); error != 0) {
    errno = error;
    Descriptor::fail(path);
  }
  const auto start = Clock::now();
  for (ssize_t got = 1; got > 0;)
    if (got = ::read(file.value(), piece.data(), piece.size()); got < 0) Descriptor::fail(path);
  return seconds_since(start);
}

}  // namespace

MachineSpeed machine_speed(const models::ModelConfig& config, models::Dtype dtype,
                           int64_t documents, int64_t tokens) {
  const c10::InferenceMode no_autograd;
  const models::ModelConfig c = measurable(config, dtype);
  const models::Decoder decoder = fixtures::shaped_decoder(c, dtype);
  const int64_t T = std::min(tokens, c.max_positions);
  // As many sequences as the run's steps have, but no more than fill the measurement.
  const double one = static_cast<double>(T * metrics::block_flops_per_token(c, (T + 1) / 2));
  const int64_t B = std::clamp<int64_t>(static_cast<int64_t>(2e10 / one), 1, documents);

  MachineSpeed speed;
  speed.measured_width = c.width;
  speed.measured_parameters = metrics::block_parameters(c);
  const at::Tensor ids = at::full({B, T}, 1, at::kLong);
  at::Tensor x = decoder.embed(ids);
  int64_t next = 0;
  const double block = seconds_of([&] {
    decoder.run_block(next, x);
    next = (next + 1) % decoder.block_count();
  });
  speed.block_flops_per_second = static_cast<double>(B) * one / block;

  const int64_t rows = std::min<int64_t>(B * T, 1024);
  const at::Tensor states = x.view({-1, c.width}).narrow(0, 0, rows);
  const at::Tensor targets = at::full({rows}, 1, at::kLong);
  const double head = seconds_of([&] { decoder.cross_entropy(states, targets); });
  speed.head_flops_per_second = static_cast<double>(rows * metrics::head_flops_per_token(c)) / head;

  models::KvCache cache = decoder.make_cache(1, 8);
  const at::Tensor token = at::full({1, 1}, 1, at::kLong);
  const double decode = seconds_of([&] {
    cache.length = 0;
    decoder.forward_cached(token, cache);
  });
  speed.decode_bytes_per_second = static_cast<double>(decoder.block_bytes()) / decode;
  return speed;
}

double read_bytes_per_second() {
  const uint64_t wanted = std::max(uint64_t{1} << 30, 2 * largest_cache_bytes());
  const uint64_t available = available_memory_bytes() / 4;
  const uint64_t bytes = std::min(wanted, available) / kReadPiece * kReadPiece;
  if (bytes < 2 * largest_cache_bytes() || bytes == 0)
    throw Error(ErrorKind::kResource,
                text("measuring the memory's speed needs a buffer of ", bytes_text(wanted), ", of ",
                     bytes_text(4 * available), " that are available; free some memory"));
  const auto count = static_cast<int64_t>(bytes / sizeof(uint64_t));
  const at::Tensor buffer = at::full({count}, 1, at::kLong);
  const auto* values = reinterpret_cast<const uint64_t*>(buffer.const_data_ptr<int64_t>());
  const int64_t pieces = count / kReadWords;
  std::atomic<uint64_t> sum{0};
  const double seconds = seconds_of([&] {
    at::parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
      uint64_t own = 0;
      for (int64_t p = begin; p < end; ++p) own += sum_of_piece(values + p * kReadWords);
      sum += own;
    });
  });
  if (sum % static_cast<uint64_t>(count) != 0)
    throw Error(ErrorKind::kInvariant, "a buffer that was read does not hold what was written");
  return static_cast<double>(bytes) / seconds;
}

double disk_bytes_per_second(const std::filesystem::path& folder) {
  constexpr size_t kPiece = size_t{4} << 20, kPieces = 16;
  const std::filesystem::path path = folder / text(".plumb-disk-speed.", ::getpid(), ".tmp");
  std::vector<std::byte> piece(kPiece);
  for (size_t i = 0; i < piece.size(); ++i)
    piece[i] = static_cast<std::byte>(i * 2654435761u >> 24);
  struct Removal {
    const std::filesystem::path& path;
    ~Removal() {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
    }
  } removal{path};
  OutputFile file(path);
  for (size_t i = 0; i < kPieces; ++i) file.write(piece);
  file.finish();
  return static_cast<double>(kPiece * kPieces) / timed_read(path, piece);
}

}  // namespace plumb::harness
