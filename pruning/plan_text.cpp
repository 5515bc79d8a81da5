// The lists of a command line: blocks "3,7-9" and values of n "0-28:2".

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.h"
#include "pruning/plan.h"

namespace plumb::pruning {
namespace {

// models::validate allows no more blocks, so no block index and no n can reach this. It also bounds
// what a hostile list can make us allocate.
constexpr int64_t kTooMany = 512;

/// One element: "7", "7-9" or "7-9:2"; both ends belong to it.
struct Range {
  int64_t first;
  int64_t last;
  int64_t step;
};

[[noreturn]] void fail(std::string_view part, const std::string& list, const std::string& why) {
  throw Error(ErrorKind::kUsage, text("'", part, "' in the list '", list, "' ", why));
}

std::string_view trimmed(std::string_view part) {
  while (part.starts_with(' ')) part.remove_prefix(1);
  while (part.ends_with(' ')) part.remove_suffix(1);
  return part;
}

/// The number at the front of `rest`, which is shortened by it.
int64_t take_number(std::string_view& rest, std::string_view part, const std::string& list) {
  int64_t number = 0;
  const bool digit = !rest.empty() && rest[0] >= '0' && rest[0] <= '9';  // from_chars takes a sign
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error == std::errc::result_out_of_range || (digit && number >= kTooMany))
    fail(part, list, text("is too large; a model has at most ", kTooMany, " blocks"));
  if (!digit || error != std::errc())
    fail(part, list, "is not a number or a range; write for example 3,7-9");
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return number;
}

bool take(char c, std::string_view& rest) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

Range parse_range(std::string_view part, const std::string& list, bool steps) {
  std::string_view rest = part;
  Range range{.first = take_number(rest, part, list), .last = 0, .step = 1};
  range.last = range.first;
  if (take('-', rest)) {
    range.last = take_number(rest, part, list);
    if (range.last < range.first) fail(part, list, "ends before it begins");
    if (steps && take(':', rest)) range.step = take_number(rest, part, list);
    if (range.step < 1) fail(part, list, "has step 0; at least 1 is needed");
  }
  if (!rest.empty()) fail(part, list, "is not a number or a range; write for example 3,7-9");
  return range;
}

/// Every number of the list in the order in which it stands there.
std::vector<int64_t> parse_list(const std::string& list, bool steps) {
  std::vector<int64_t> numbers;
  std::string_view rest = list;
  for (bool more = true; more;) {
    const size_t end = rest.find_first_of(",;");
    const Range range = parse_range(trimmed(rest.substr(0, end)), list, steps);
    for (int64_t i = range.first; i <= range.last; i += range.step) numbers.push_back(i);
    if (numbers.size() > kTooMany * kTooMany) fail(rest, list, "makes the list too long");
    more = end != std::string_view::npos;
    if (more) rest.remove_prefix(end + 1);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

std::vector<int64_t> parse_block_list(const std::string& list) {
  const std::vector<int64_t> blocks = parse_list(list, /*steps=*/false);
  const auto twice = std::adjacent_find(blocks.begin(), blocks.end());
  if (twice != blocks.end())
    throw Error(ErrorKind::kUsage, text("block ", *twice, " stands twice in the list '", list,
                                        "'; name each block once"));
  return blocks;
}

std::vector<int64_t> parse_range_list(const std::string& list) {
  std::vector<int64_t> values = parse_list(list, /*steps=*/true);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace plumb::pruning
