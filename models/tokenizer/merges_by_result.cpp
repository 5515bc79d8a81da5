#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/error.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

// Looking a token of n bytes up by all its splits hashes n * n bytes. Vocabularies in use need some
// ten million.
constexpr size_t kMostHashedBytes = size_t{1} << 28;

class Parts {
 public:
  Parts(const Vocabulary& vocabulary, const std::vector<std::optional<uint32_t>>& ranks,
        bool loose_characters)
      : loose_characters_(loose_characters) {
    ids_.reserve(vocabulary.size());
    for (size_t id = 0; id < vocabulary.size(); ++id)
      if (ranks[id]) ids_.emplace(vocabulary[id], static_cast<int32_t>(id));
  }
  std::optional<int32_t> find(std::string_view part) const {
    if (const auto found = ids_.find(part); found != ids_.end()) return found->second;
    const char* at = part.data();
    const uint32_t point = next_code_point(at);
    if (!loose_characters_ || at != part.data() + part.size()) return std::nullopt;
    return -1 - static_cast<int32_t>(point);
  }

 private:
  std::unordered_map<std::string_view, int32_t> ids_;
  bool loose_characters_;
};

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<uint32_t> ranks_of_scores(const std::vector<float>& scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<uint32_t> ranks(scores.size());
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
    ranks[order[i]] = rank;
  }
  return ranks;
}

std::deque<Merge> merges_by_result(const Vocabulary& vocabulary,
                                   const std::vector<std::optional<uint32_t>>& ranks,
                                   bool loose_characters) {
  size_t hashed = 0;
  for (const std::string& token : vocabulary) hashed += token.size() * token.size();
  if (hashed > kMostHashedBytes)
    throw Error(ErrorKind::kInput,
                text("the tokens are too long: the squares of their lengths add up to ", hashed,
                     ", more than ", kMostHashedBytes));
  const Parts parts(vocabulary, ranks, loose_characters);
  std::deque<Merge> merges;
  std::deque<std::tuple<uint32_t, ptrdiff_t, ptrdiff_t, size_t>> order;
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    if (!ranks[id]) continue;
    const std::string_view token = vocabulary[id];
    for (const char* at = token.data();;) {
      next_code_point(at);
      const auto length = static_cast<size_t>(at - token.data());
      if (length == token.size()) break;
      const auto left = parts.find(token.substr(0, length));
      const auto right = left ? parts.find(token.substr(length)) : std::nullopt;
      if (!right) continue;
      order.emplace_back(*ranks[id], -characters(token.substr(0, length)),
                         -characters(token.substr(length)), merges.size());
      merges.push_back({*left, *right, static_cast<int32_t>(id), *ranks[id]});
    }
  }
  std::sort(order.begin(), order.end());
  std::deque<Merge> sorted;
  for (const auto& place : order) sorted.push_back(merges[std::get<3>(place)]);
  return sorted;
}

}  // namespace plumb::models
