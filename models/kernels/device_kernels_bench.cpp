// Kernels of a device against what its memory and its units could do: `of_peak` is the share of DeviceFacts' figures. Launches are timed in
// rows that end with one wait, so that the host's time for a launch is not. Shapes are those of Llama-2-7B.

#include <benchmark/benchmark.h>

#include <functional>
#include <utility>
#include <vector>

#include "models/device.h"
#include "models/kernels/nf4.h"

namespace plumb::models {
namespace {

constexpr int kLaunches = 50;  // a row of them

/// Memory of a device for one benchmark; nothing in it but zeros, which no kernel here is faster or slower for.
class Memory {
 public:
  explicit Memory(const KernelTable& table) : table_(table) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    for (void* pointer : taken_) table_.release(pointer);
  }
  template <typename T>
  T* take(int64_t count) {
    void* pointer = nullptr;
    const uint64_t bytes = static_cast<uint64_t>(count) * sizeof(T);
    failed_ = failed_ != nullptr ? failed_ : table_.allocate(&pointer, bytes);
    if (failed_ != nullptr) return nullptr;
    taken_.push_back(pointer);
    const std::vector<char> zeros(bytes);
    failed_ = table_.copy_to_device(pointer, zeros.data(), bytes);
    return static_cast<T*>(pointer);
  }
  const char* failed() const { return failed_; }
  void wait() const {
    char byte = 0;
    table_.copy_to_host(&byte, taken_.front(), 1);
  }

 private:
  const KernelTable& table_;
  std::vector<void*> taken_;
  const char* failed_ = nullptr;
};

/// What a launch moves and computes.
struct Work {
  double bytes = 0;
  double operations = 0;
};
using Launch = std::function<const char*()>;
using Make = std::function<std::pair<Launch, Work>(const KernelTable&, Memory&)>;

void run(benchmark::State& state, const Make& make) {
  if (const std::string reason = cuda_unavailable_reason(); !reason.empty())
    return state.SkipWithError(("no CUDA device: " + reason).c_str());
  const KernelTable& table = cuda_kernels();
  Memory memory(table);
  const auto [launch, work] = make(table, memory);
  if (memory.failed() != nullptr) return state.SkipWithError(memory.failed());
  if (const char* why = launch(); why != nullptr) return state.SkipWithError(why);
  memory.wait();
  for (auto _ : state) {
    for (int i = 0; i < kLaunches; ++i) launch();
    memory.wait();
  }
  DeviceFacts facts{};
  table.device_facts(0, &facts);
  const double launches = static_cast<double>(state.iterations()) * kLaunches;
  using benchmark::Counter;
  const auto rate = [&](const char* name, double each, double peak) {
    if (each <= 0) return;
    state.counters[name] = Counter(launches * each, Counter::kIsRate);
    if (peak > 0)
      state.counters[std::string(name) + "_of_peak"] =
          Counter(launches * each / peak, Counter::kIsRate);
  };
  rate("bytes", work.bytes, facts.peak_bytes_per_second);
  rate("operations", work.operations, facts.peak_fp32_per_second);
}

double real(int64_t count) { return static_cast<double>(count); }

Nf4Matrix matrix(Memory& memory, int64_t rows, int64_t columns) {
  Nf4Matrix m{};
  m.rows = rows;
  m.columns = columns;
  m.codes = memory.take<uint8_t>(rows * columns / 2);
  const int64_t scales = nf4_blocks(rows * columns);
  m.scale_codes = memory.take<uint8_t>(scales);
  m.scales = memory.take<float>((scales + 255) / 256);
  m.map = memory.take<float>(256);
  return m;
}
double bytes_of(const Nf4Matrix& m) {
  const double count = real(m.rows * m.columns);
  return count / 2 + count / 64 + count / 4096;
}

constexpr int64_t kWidth = 4096, kFeedForward = 11008, kRows = 1024, kVocabulary = 32000;

std::pair<Launch, Work> expand(const KernelTable& table, Memory& memory) {
  const Nf4Matrix m = matrix(memory, kFeedForward, kWidth);
  auto* out = memory.take<uint16_t>(kFeedForward * kWidth);
  return {[&table, m, out] { return table.nf4_expand(&m, out, Element::kBf16, nullptr); },
          {bytes_of(m) + 2.0 * kFeedForward * kWidth, 0}};
}

std::pair<Launch, Work> quantise(const KernelTable& table, Memory& memory) {
  constexpr int64_t kCount = kFeedForward * kWidth;
  auto* weights = memory.take<float>(kCount);
  auto* codes = memory.take<uint8_t>(kCount / 2);
  auto* absmax = memory.take<float>(kCount / 64);
  auto* bad = memory.take<int64_t>(1);
  return {[=, &table] { return table.nf4_quantize(weights, codes, absmax, bad, kCount, nullptr); },
          {4.5 * kCount + kCount / 16.0, 0}};
}

Make lora(int64_t rows) {
  return [rows](const KernelTable& table, Memory& memory) {
    constexpr int64_t kRank = 8;
    LoraProduct p{};
    p.rows = rows;
    p.in = kWidth;
    p.rank = kRank;
    p.out = p.y_stride = kFeedForward;
    p.scale = 1;
    p.x = memory.take<uint16_t>(rows * kWidth);
    p.x_type = Element::kBf16;
    p.a = memory.take<float>(kRank * kWidth);
    p.b = memory.take<float>(kFeedForward * kRank);
    p.low = memory.take<float>(rows * kRank);
    p.y = memory.take<float>(rows * kFeedForward);
    const double weights = real(kRank * (kWidth + kFeedForward));
    return std::pair(Launch([&table, p] { return table.lora_product(&p, nullptr); }),
                     Work{real(rows) * (2.0 * kWidth + 8.0 * kFeedForward) + 4 * weights,
                          2 * real(rows) * weights});
  };
}

std::pair<Launch, Work> norm(const KernelTable& table, Memory& memory) {
  RmsNorm n{};
  n.rows = kRows;
  n.width = kWidth;
  n.epsilon = 1e-5f;
  n.x = memory.take<uint16_t>(kRows * kWidth);
  n.y = memory.take<uint16_t>(kRows * kWidth);
  n.x_type = n.y_type = Element::kBf16;
  n.gain = memory.take<float>(kWidth);
  return {[&table, n] { return table.rms_norm(&n, nullptr); }, {4.0 * kRows * kWidth, 0}};
}

std::pair<Launch, Work> norm_gradient(const KernelTable& table, Memory& memory) {
  RmsNormGradient n{};
  n.rows = kRows;
  n.width = kWidth;
  n.epsilon = 1e-5f;
  n.x = memory.take<uint16_t>(kRows * kWidth);
  n.x_type = Element::kBf16;
  n.gain = memory.take<float>(kWidth);
  n.gradient = memory.take<float>(kRows * kWidth);
  n.dx = memory.take<float>(kRows * kWidth);
  return {[&table, n] { return table.rms_norm_gradient(&n, nullptr); }, {10.0 * kRows * kWidth, 0}};
}

std::pair<Launch, Work> rotation(const KernelTable& table, Memory& memory) {
  HeadRotation h{};
  h.rows = kRows;
  h.tokens = 256;
  h.heads = 32;
  h.width = 128;
  h.half = 64;
  h.x_stride = 3 * kWidth;
  h.y_stride = kWidth;
  h.x = memory.take<uint16_t>(kRows * h.x_stride);
  h.x_type = Element::kBf16;
  h.cosine = memory.take<float>(h.tokens * h.half);
  h.sine = memory.take<float>(h.tokens * h.half);
  h.y = memory.take<float>(kRows * kWidth);
  return {[&table, h] { return table.rotate_heads(&h, nullptr); }, {6.0 * kRows * kWidth, 0}};
}

std::pair<Launch, Work> loss(const KernelTable& table, Memory& memory) {
  CrossEntropy c{};
  c.rows = kRows;
  c.vocabulary = kVocabulary;
  c.scale = 1;
  c.gradient = true;
  c.type = Element::kFp32;
  c.logits = memory.take<float>(kRows * kVocabulary);
  c.targets = memory.take<int64_t>(kRows);
  c.losses = memory.take<float>(kRows);
  // Read twice and written once.
  return {[&table, c] { return table.cross_entropy(&c, nullptr); },
          {12.0 * kRows * kVocabulary, 0}};
}

std::pair<Launch, Work> adamw(const KernelTable& table, Memory& memory) {
  AdamWStep s{};
  s.count = int64_t{1} << 24;
  s.parameters = memory.take<float>(s.count);
  s.first = memory.take<float>(s.count);
  s.second = memory.take<float>(s.count);
  s.gradients = memory.take<float>(s.count);
  s.clip = s.keep = s.root = 1;
  s.epsilon = 1e-8f;
  return {[&table, s] { return table.adamw_step(&s, nullptr); }, {28.0 * real(s.count), 0}};
}

const int kRegistered = [] {
  const auto add = [](const std::string& name, Make make) {
    benchmark::RegisterBenchmark(("device/" + name).c_str(), [make](benchmark::State& state) {
      run(state, make);
    })->UseRealTime();
  };
  add("nf4_expand", expand);
  add("nf4_quantise", quantise);
  for (const int64_t rows : {1, 1024}) add("lora/rows:" + std::to_string(rows), lora(rows));
  add("rms_norm", norm);
  add("rms_norm_gradient", norm_gradient);
  add("rotate_heads", rotation);
  add("cross_entropy", loss);
  add("adamw", adamw);
  return 0;
}();

}  // namespace
}  // namespace plumb::models
