#include "base/system_files.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>

namespace plumb::system_files {

namespace fs = std::filesystem;

namespace {

std::string trimmed(std::string_view word) {
  constexpr std::string_view kAround = " \t\"\r\n";
  const size_t begin = word.find_first_not_of(kAround);
  if (begin == std::string_view::npos) return "";
  return std::string(word.substr(begin, word.find_last_not_of(kAround) - begin + 1));
}

}  // namespace

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::vector<std::string> fields(const fs::path& path, std::string_view key, char separator) {
  std::ifstream in(path);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) {
    const size_t split = line.find(separator);
    if (split == std::string::npos || trimmed(std::string_view(line).substr(0, split)) != key)
      continue;
    std::string value = trimmed(std::string_view(line).substr(split + 1));
    if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(std::move(value));
  }
  return out;
}

std::string field(const fs::path& path, std::string_view key, char separator) {
  const std::vector<std::string> all = fields(path, key, separator);
  return all.empty() ? "" : all.front();
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> number_in(const fs::path& path) { return number(first_line(path)); }

std::vector<std::string> names_in(const fs::path& folder, std::string_view prefix) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) out.push_back(std::move(name));
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string gibibytes(double bytes) {
  char out[64];
  std::snprintf(out, sizeof out, "%.1f GiB", bytes / (1024.0 * 1024 * 1024));
  return out;
}

}  // namespace plumb::system_files
