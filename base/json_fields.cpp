#include "base/json_fields.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <unordered_set>

#include "base/error.h"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kDeepest = 64;

/// Walks the text and says how many bytes the parser has taken, which its callbacks do not tell.
struct CountingIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** furthest = nullptr;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    *furthest = ++at;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
};

/// Builds the value while it is parsed. An open container is the last element of its parent and its
/// parent does not change meanwhile, so pointers into it stay valid.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(Json& root, const char* begin, const char* const* furthest)
      : root_(root), begin_(begin), furthest_(furthest) {}

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return add(Json(value)); }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // JSON text has none
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    if (!open_.back().keys.insert(value).second)
      fail(text("the key \"", value, "\" occurs twice in an object"));
    key_ = std::move(value);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    throw Error(ErrorKind::kInput, text("not JSON at byte ", position == 0 ? 0 : position - 1, ": ",
                                        json_fault(e.what())));
  }

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys;
  };

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorKind::kInput,
                text("not strict JSON at byte ", *furthest_ - begin_ - 1, ": ", why));
  }

  Json* place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // Straight into the vector below: ordered_map's own insertion looks through all keys, which
    // `keys` did already.
    auto& members = parent.get_ref<Json::object_t&>();
    static_cast<Json::object_t::Container&>(members).emplace_back(std::move(key_),
                                                                  std::move(value));
    return &members.back().second;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (open_.size() == kDeepest) fail(text("nested deeper than ", kDeepest));
    Json* const placed = place(std::move(value));
    open_.push_back({placed, {}});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  const char* begin_;
  const char* const* furthest_;
  std::vector<Open> open_;
  std::string key_;
};

std::string lower(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Least number of insertions, deletions, replacements and swaps of neighbours that turn `a` into
/// `b`.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

nlohmann::ordered_json parse_json(std::string_view text_to_read) {
  if (text_to_read.empty()) throw Error(ErrorKind::kInput, "not JSON: the text is empty");
  // The parser takes a NUL for the end, whatever follows.
  if (const size_t nul = text_to_read.find('\0'); nul != std::string_view::npos)
    throw Error(ErrorKind::kInput, text("not JSON at byte ", nul, ": a NUL"));
  Json root;
  const char* const begin = text_to_read.data();
  const char* furthest = begin;
  Builder builder(root, begin, &furthest);
  Json::sax_parse(CountingIterator{begin, &furthest},
                  CountingIterator{begin + text_to_read.size(), &furthest}, &builder);
  return root;
}

std::string json_fault(std::string_view what) {
  // "[json.exception.parse_error.101] parse error at line 1, column 5: <reason>; last read: '...'"
  if (const size_t colon = what.find(": "); colon != std::string_view::npos)
    what.remove_prefix(colon + 2);
  if (what.starts_with('[')) what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
  return std::string(what.substr(0, what.find("; last read")));
}

void require_known_keys(const nlohmann::ordered_json& object, const std::vector<std::string>& known,
                        const std::string& path) {
  if (!object.is_object())
    throw Error(ErrorKind::kUsage,
                text("'", path, "' is ", object.type_name(), ", needed is an object in braces"));
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest(key, known);
    std::string message = text("unknown key '", key, "' in '", path, "'");
    if (!near.empty()) message += text("; did you mean '", near, "'?");
    message += known.empty() ? "; it takes none" : "; known are";
    for (size_t i = 0; i < known.size(); ++i) message += text(i == 0 ? " " : ", ", known[i]);
    throw Error(ErrorKind::kUsage, message);
  }
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  const std::string wanted = lower(word);
  std::string best;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;  // farther than this is another word
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(wanted, lower(candidate));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace plumb
