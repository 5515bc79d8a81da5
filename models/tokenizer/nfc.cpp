#include "models/tokenizer/nfc.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/nfc_tables.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
constexpr uint32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTrails = 0x11A7;
constexpr uint32_t kLeadCount = 19, kVowelCount = 21, kTrailCount = 28;
constexpr uint32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

class Canonical {
 public:
  static const Canonical& data() {
    static const Canonical canonical;
    return canonical;
  }

  uint8_t combining_class(uint32_t point) const {
    const auto& ranges = combining_classes();
    const auto after =
        std::upper_bound(ranges.begin(), ranges.end(), point,
                         [](uint32_t p, const CombiningClass& range) { return p < range.first; });
    return after == ranges.begin() || std::prev(after)->last < point ? uint8_t{0}
                                                                     : std::prev(after)->value;
  }

  void decompose(uint32_t point, std::vector<uint32_t>& out) const {
    if (point - kSyllables < kSyllableCount) {
      const uint32_t index = point - kSyllables;
      out.push_back(kLeads + index / (kVowelCount * kTrailCount));
      out.push_back(kVowels + index % (kVowelCount * kTrailCount) / kTrailCount);
      if (index % kTrailCount != 0) out.push_back(kTrails + index % kTrailCount);
      return;
    }
    const auto found = parts_.find(point);
    if (found == parts_.end()) return out.push_back(point);
    decompose(found->second.first, out);
    if (found->second.second != 0) decompose(found->second.second, out);
  }

  /// 0 where the two do not compose.
  uint32_t compose(uint32_t first, uint32_t second) const {
    if (first - kLeads < kLeadCount && second - kVowels < kVowelCount)
      return kSyllables + ((first - kLeads) * kVowelCount + second - kVowels) * kTrailCount;
    if (first - kSyllables < kSyllableCount && (first - kSyllables) % kTrailCount == 0 &&
        second > kTrails && second - kTrails < kTrailCount)
      return first + second - kTrails;
    const auto found = composed_.find(uint64_t{first} << 32 | second);
    return found == composed_.end() ? 0 : found->second;
  }

 private:
  Canonical() {
    for (const auto& row : singleton_decompositions()) parts_[row.character] = {row.part, 0};
    for (const auto& row : pair_decompositions()) {
      parts_[row.character] = {row.first, row.second};
      if (row.composes) composed_[uint64_t{row.first} << 32 | row.second] = row.character;
    }
  }
  std::unordered_map<uint32_t, std::pair<uint32_t, uint32_t>> parts_;
  std::unordered_map<uint64_t, uint32_t> composed_;
};

// Runs of characters with a class other than 0 are sorted by it, equals left in order.
void order_marks(std::vector<uint32_t>& points, std::vector<uint8_t>& classes) {
  for (size_t begin = 0; begin < points.size(); ++begin) {
    if (classes[begin] == 0) continue;
    size_t end = begin;
    while (end < points.size() && classes[end] != 0) ++end;
    std::vector<std::pair<uint8_t, uint32_t>> run;
    for (size_t i = begin; i < end; ++i) run.emplace_back(classes[i], points[i]);
    std::stable_sort(run.begin(), run.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = begin; i < end; ++i) std::tie(classes[i], points[i]) = run[i - begin];
    begin = end - 1;
  }
}

// Each mark joins the last starter unless something of the same or a higher class stands between.
std::string composed(const std::vector<uint32_t>& points, const std::vector<uint8_t>& classes) {
  std::vector<uint32_t> out;
  size_t starter = SIZE_MAX;
  int last_class = -1;  // of what was kept since the starter; -1: nothing
  for (size_t i = 0; i < points.size(); ++i) {
    if (starter != SIZE_MAX && last_class < int{classes[i]}) {
      if (const uint32_t whole = Canonical::data().compose(out[starter], points[i])) {
        out[starter] = whole;
        continue;
      }
    }
    if (classes[i] == 0) {
      starter = out.size();
      last_class = -1;
    } else {
      last_class = classes[i];
    }
    out.push_back(points[i]);
  }
  std::string text;
  for (const uint32_t point : out) append_utf8(text, point);
  return text;
}

}  // namespace

bool is_surely_nfc(std::string_view text) {
  // U+0300 is CC 80: characters below have smaller lead bytes.
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0xCC; });
}

std::string to_nfc(std::string_view text) {
  if (is_surely_nfc(text)) return std::string(text);
  std::vector<uint32_t> points;
  for (const char* at = text.data(); at != text.data() + text.size();)
    Canonical::data().decompose(next_code_point(at), points);
  std::vector<uint8_t> classes;
  for (const uint32_t point : points) classes.push_back(Canonical::data().combining_class(point));
  order_marks(points, classes);
  return composed(points, classes);
}

}  // namespace plumb::models
