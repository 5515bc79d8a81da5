#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "models/tokenizer/definition.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/unicode.h"

/// Helpers of the tokenizer's tests alone.
namespace plumb::models::testing {

/// fixtures/golden/tokenizer_reference.json; make_tokenizer_reference.py says what stands in it.
inline const nlohmann::json& golden() {
  static const nlohmann::json parsed = nlohmann::json::parse(
      read_file(PLUMB_SOURCE_DIR "/fixtures/golden/tokenizer_reference.json"));
  return parsed;
}

/// The environment's path plus `inside`, or an empty path where it is not set.
inline std::filesystem::path from_environment(const char* name, const std::string& inside = "") {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return {};
  return inside.empty() ? std::filesystem::path(value) : std::filesystem::path(value) / inside;
}

/// The digest of many rows of ids, as the reference makes it.
class IdDigest {
 public:
  void add(const std::vector<int32_t>& ids) {
    put(static_cast<int32_t>(ids.size()));
    for (const int32_t id : ids) put(id);
    count_ += ids.size();
  }
  size_t count() const { return count_; }
  std::string take() {
    count_ = 0;
    return sha256_hex(std::exchange(bytes_, {})).substr(0, 16);
  }

 private:
  void put(int32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes_.push_back(static_cast<char>(static_cast<uint32_t>(value) >> shift & 0xFF));
  }
  std::string bytes_;
  size_t count_ = 0;
};

/// The reference's generator.
class Generator {
 public:
  /// 0 .. bound - 1.
  size_t operator()(uint64_t bound) {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<size_t>((state_ >> 33) % bound);
  }

 private:
  uint64_t state_ = 1;
};

/// The reference's texts made of fragments.
inline std::vector<std::string> mixtures() {
  const auto fragments = golden().at("fragments").get<std::vector<std::string>>();
  Generator draw;
  std::vector<std::string> texts(golden().at("mixtures").at("count").get<size_t>());
  for (std::string& text : texts)
    for (size_t left = 1 + draw(12); left > 0; --left) text += fragments[draw(fragments.size())];
  return texts;
}

/// Every code point but the surrogates, in order.
inline std::vector<uint32_t> all_code_points() {
  std::vector<uint32_t> points;
  for (uint32_t point = 0; point < 0x110000; ++point)
    if (point < 0xD800 || point >= 0xE000) points.push_back(point);
  return points;
}

/// Whether this group of code points is tested: each, but under AddressSanitizer, which costs a
/// factor of ten, one in eight, the first among them.
inline bool is_tested(size_t group) {
#ifdef __SANITIZE_ADDRESS__
  return group % 8 == 0;
#else
  return group < SIZE_MAX;
#endif
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) c == '\n' ? lines.emplace_back() : lines.back() += c;
  return lines;
}

/// The texts of a JSONL file's content.
inline std::vector<std::string> documents(const std::string& jsonl) {
  std::vector<std::string> texts;
  for (const std::string& line : lines_of(jsonl))
    if (!line.empty()) texts.push_back(nlohmann::json::parse(line).at("text").get<std::string>());
  return texts;
}

inline std::string from_base64(const std::string& coded) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  for (size_t i = 0; i < coded.size() && coded[i] != '='; ++i) {
    bits = bits << 6 | static_cast<uint32_t>(digits.find(coded[i]));
    if (i % 4 != 0) bytes.push_back(static_cast<char>(bits >> (6 - 2 * (i % 4))));
  }
  return bytes;
}

inline std::string utf8(uint32_t point) {
  std::string text;
  append_utf8(text, point);
  return text;
}

}  // namespace plumb::models::testing
