#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

/// What the tables of malformed files share; nothing outside of *_test.cpp includes this.
namespace plumb::models::testing {

/// The largest single allocation of the whole process while one of these lives: of any thread and
/// library, by operator new, malloc and its relatives and, without AddressSanitizer, by anonymous
/// maps. One at a time.
class AllocationWatch {
 public:
  AllocationWatch();
  ~AllocationWatch();
  AllocationWatch(const AllocationWatch&) = delete;
  AllocationWatch& operator=(const AllocationWatch&) = delete;
  size_t largest() const;
};

/// One file, or a folder of files, that must be refused.
struct MalformedCase {
  std::string name;                                       ///< of the test: letters and digits
  std::function<void(const std::filesystem::path&)> put;  ///< writes the model there
  std::vector<std::string> words;  ///< what the message must hold: what was found, what was needed
};
inline std::ostream& operator<<(std::ostream& out, const MalformedCase& malformed) {
  return out << malformed.name;
}

/// Buffers whose size is fixed and owes nothing to the file: pieces of 64 KiB that headers are read
/// in are the largest.
inline constexpr size_t kFixedBuffers = size_t{64} << 10;

/// A tokenizer's: the stack that PCRE2 matches on is a map of 1 MiB.
inline constexpr size_t kTokenizerBuffers = size_t{1} << 20;

/// Puts the files of `malformed` in a folder of their own and holds `open` to the contract: Error of
/// kind kInput (exit code 4), one line with every one of `words`, less than a second of the process'
/// CPU time, and no allocation that is larger than the files together or than `floor`.
///
/// Tests assert no time elsewhere. Here the bound is part of what a reader of foreign bytes
/// promises: work in proportion to the file. Every case takes a tenth of it or less without
/// sanitizers, and CPU time does not count what else the machine does.
void expect_refused(const MalformedCase& malformed,
                    const std::function<void(const std::filesystem::path&)>& open,
                    size_t floor = kFixedBuffers);

inline std::string case_name(const ::testing::TestParamInfo<MalformedCase>& info) {
  return info.param.name;
}

}  // namespace plumb::models::testing
