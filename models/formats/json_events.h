#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::models {

/// A value in a JSON text that is neither object nor array.
struct JsonScalar {
  enum class Kind { kNull, kBool, kUnsigned, kNegative, kReal, kString } kind = Kind::kNull;
  uint64_t number = 0;    ///< of kUnsigned
  std::string_view text;  ///< of kString; valid during the call
};

/// Reads a JSON object of objects without building it: a header of 100 MB costs its tensors and no
/// more, and a hostile one with millions of keys costs linear time. Derived classes see the keys
/// that lead to each value.
///
/// Strict beyond the parser: what require_plain_json demands, nesting at most `deepest`. Every
/// refusal is Error{kInput}.
class JsonEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  void read(std::string_view text, size_t deepest);

 protected:
  /// Keys of the objects around the value, outermost first; inside arrays the array's own key is
  /// the last.
  const std::vector<std::string>& path() const { return path_; }
  size_t array_depth() const { return arrays_; }
  virtual void on_scalar(const JsonScalar& value) = 0;
  virtual void on_object_begin() {}  ///< path() leads to the object
  virtual void on_object_end() {}
  virtual void on_array_begin() {}

 private:
  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& value) override;
  bool binary(binary_t& value) override;
  bool start_object(std::size_t elements) override;
  bool key(string_t& value) override;
  bool end_object() override;
  bool start_array(std::size_t elements) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override;
  void scalar(const JsonScalar& value);
  void descend();

  std::vector<std::string> path_;
  std::vector<bool> open_objects_;  // true: an object
  size_t arrays_ = 0;
  size_t deepest_ = 0;
};

}  // namespace plumb::models
