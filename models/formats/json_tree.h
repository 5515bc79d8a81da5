#pragma once

#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

namespace plumb::models {

/// A value of a foreign JSON text. Containers grow in pieces: `[0,0,...` has two bytes for each
/// value of sixteen, and no allocation may be larger than the file.
using Json = nlohmann::basic_json<std::map, std::deque>;

/// A JSON text as a tree, for files with hundreds of thousands of keys. Strict: UTF-8, no duplicate
/// keys, nesting at most 64 deep, at most `most_values` values, nothing after the value; and what
/// require_plain_json demands. Error{kInput} with the byte position where the parser has one.
class JsonTree {
 public:
  /// Four times the values of the largest tokenizer.json.
  static constexpr size_t kMostValues = size_t{1} << 23;

  explicit JsonTree(std::string_view text, size_t most_values = kMostValues);
  JsonTree(const JsonTree&) = delete;
  JsonTree& operator=(const JsonTree&) = delete;
  ~JsonTree();

  const Json& root() const { return root_; }

 private:
  Json root_;
};

}  // namespace plumb::models
