// What the tables of malformed files are held with, and that it sees what it should.

#include "models/formats/malformed.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>

#include "base/testing.h"
#include "models/tokenizer/unicode.h"

namespace {

std::atomic<bool> armed = false;
std::atomic<size_t> largest_allocation = 0;

void note(size_t bytes) {
  if (!armed.load(std::memory_order_relaxed)) return;
  size_t known = largest_allocation.load(std::memory_order_relaxed);
  while (bytes > known && !largest_allocation.compare_exchange_weak(known, bytes)) {
  }
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             size_t),
                                                         void (*free_hook)(const volatile void*));

namespace {
constexpr bool kSeesMaps = false;
void install() {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, size_t bytes) { note(bytes); }, [](const volatile void*) {});
  ASSERT_NE(installed, 0);
}
}  // namespace

#else

// The dynamic linker prefers the program's own functions to the C library's. operator new calls
// malloc.
extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) noexcept {
  note(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) noexcept {
  size_t product = 0;
  note(__builtin_mul_overflow(count, bytes, &product) ? SIZE_MAX : product);
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) noexcept {
  note(bytes);
  return __libc_realloc(old, bytes);
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  note(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  note(bytes);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  note(bytes);
  *out = __libc_memalign(alignment, bytes);
  return *out == nullptr ? ENOMEM : 0;
}
void* mmap(void* at, size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  if ((flags & MAP_ANONYMOUS) != 0) note(bytes);
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
}

}  // extern "C"

namespace {
constexpr bool kSeesMaps = true;
void install() {}
}  // namespace

#endif

namespace plumb::models::testing {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

AllocationWatch::AllocationWatch() {
  install();
  largest_allocation = 0;
  EXPECT_FALSE(armed.exchange(true)) << "two watches at a time";
}
AllocationWatch::~AllocationWatch() { armed = false; }
size_t AllocationWatch::largest() const { return largest_allocation; }

namespace {

double cpu_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

size_t bytes_in(const fs::path& folder) {
  uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && !entry.is_symlink()) bytes += entry.file_size();
  return bytes;
}

}  // namespace

void expect_refused(const MalformedCase& malformed,
                    const std::function<void(const fs::path&)>& open, size_t floor) {
  const plumb::testing::TemporaryFolder folder;
  malformed.put(folder.path());
  const size_t files = bytes_in(folder.path());
  size_t largest = 0;
  double seconds = 0;
  const Error error = plumb::testing::error_of([&] {
    const AllocationWatch watch;
    const double begin = cpu_seconds();
    const auto note_cost = [&] {
      seconds = cpu_seconds() - begin;
      largest = watch.largest();
    };
    try {
      open(folder.path());
    } catch (...) {
      note_cost();
      throw;
    }
  });
  const std::string what = error.what();
  EXPECT_EQ(error.kind(), ErrorKind::kInput) << what;
  EXPECT_EQ(error.exit_code(), 4);
  for (const std::string& word : malformed.words) EXPECT_THAT(what, HasSubstr(word));
  EXPECT_TRUE(is_utf8(what)) << what;
  EXPECT_TRUE(std::ranges::none_of(what, [](uint8_t c) { return c < ' ' || c == 0x7f; })) << what;
  EXPECT_LT(what.size(), 700u) << what;
  // Told from reading that grows with the square of the input, minutes for the largest cases here, on any machine.
  EXPECT_LT(seconds, 20.0);
  // A string of exactly the file's bytes ends with one more.
  EXPECT_LE(largest, std::max(files + 1, floor)) << "the files have " << files << " bytes";
  ::testing::Test::RecordProperty("largest_allocation", std::to_string(largest));
  ::testing::Test::RecordProperty("cpu_ms", std::to_string(1000 * seconds));
}

template <typename Allocate>
size_t seen(Allocate&& allocate) {
  const AllocationWatch watch;
  allocate();
  return watch.largest();
}

// Kept from the optimiser, which may leave an allocation out whose memory nobody uses.
void use(void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

TEST(AllocationWatch, SeesWhateverAllocates) {
  EXPECT_EQ(seen([] { use(std::make_unique<char[]>(200'000).get()); }), 200'000u);
  EXPECT_EQ(seen([] { use(std::string(200'000, 'x').data()); }), 200'001u);
  const auto freed = [](void* memory) { use(memory), std::free(memory); };
  EXPECT_EQ(seen([&] { freed(std::malloc(300'000)); }), 300'000u);
  EXPECT_EQ(seen([&] { freed(std::calloc(1000, 400)); }), 400'000u);
  EXPECT_EQ(seen([&] { freed(std::realloc(std::malloc(10), 500'000)); }), 500'000u);
  EXPECT_EQ(seen([&] { freed(std::aligned_alloc(64, 640'000)); }), 640'000u);
  EXPECT_EQ(seen([&] {
              void* memory = nullptr;
              ASSERT_EQ(::posix_memalign(&memory, 64, 700'000), 0);
              freed(memory);
            }),
            700'000u);
  if (kSeesMaps) {
    EXPECT_EQ(seen([] {
                void* memory =
                    ::mmap(nullptr, 8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                ASSERT_NE(memory, MAP_FAILED);
                ::munmap(memory, 8 << 20);
              }),
              size_t{8} << 20);
  }
}

TEST(AllocationWatch, SeesTheLargestOfAllThreadsWhileItLives) {
  use(std::make_unique<char[]>(900'000).get());
  const AllocationWatch watch;
  std::vector<std::thread> threads;
  for (size_t i = 1; i <= 4; ++i)
    threads.emplace_back([i] { use(std::make_unique<char[]>(i * 100'000).get()); });
  for (std::thread& thread : threads) thread.join();
  // A thread's stack is mapped too, within the C library, where nobody sees it.
  EXPECT_EQ(watch.largest(), 400'000u);
}

}  // namespace plumb::models::testing
