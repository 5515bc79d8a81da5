#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plumb {

/// A file that only grows, by lines that are on disk once `append` has returned:
///
///     <64 hex digits> <text>\n      the digits: SHA-256 of the digits of the line before and the text
///
/// So a line stands for all lines before it: none can be changed, left out or swapped unseen. From
/// the first line on that is not what its digits say nothing is read, and the next `append` writes
/// in its place: a line that a killed process or a power cut left half written does not exist.
///
/// Errors: Error{kResource} naming the file and the system's reason where it cannot be written;
/// Error{kInput} where it cannot be read. Thread rule: one thread, and one process: who opens it
/// sees to that.
class Journal {
 public:
  /// Reads what stands. A file that is not there has no lines, and is made by `begin`.
  explicit Journal(std::filesystem::path path);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  /// The texts that stood when it was opened, in order; once, as they may be many.
  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }
  /// Bytes behind the lines that stand.
  uint64_t dropped_bytes() const { return dropped_bytes_; }
  /// Whether those are more than one unfinished line at the end, so that the file was changed
  /// rather than cut short.
  bool is_damaged() const { return damaged_; }

  /// A new file, or one in place of the old, with this line alone.
  void begin(std::string_view text);
  /// One line more; `text` has no line feed.
  void append(std::string_view text);
  /// Takes the file away.
  void remove();

  const std::filesystem::path& path() const { return path_; }

 private:
  void read(std::string_view bytes);
  void open();
  void close();
  std::string line(std::string_view text);

  std::filesystem::path path_;
  std::vector<std::string> lines_;
  std::string digits_;       ///< of the last line that stands
  uint64_t good_bytes_ = 0;  ///< up to its end
  uint64_t dropped_bytes_ = 0;
  bool damaged_ = false;
  int descriptor_ = -1;
};

}  // namespace plumb
