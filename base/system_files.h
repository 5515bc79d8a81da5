#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// Reading of the small text files in which Linux tells of a machine. What is missing or cannot be read is empty: the
/// system offers each of them at will, so that their absence is no error.
namespace system_files {

std::string first_line(const std::filesystem::path& path);

/// The value of the first line "key<separator>value" without blanks and quotes around it, or empty.
std::string field(const std::filesystem::path& path, std::string_view key, char separator);
/// The distinct values of all such lines, in the order of the first of each.
std::vector<std::string> fields(const std::filesystem::path& path, std::string_view key,
                                char separator);

/// The number that a text begins with.
std::optional<double> number(std::string_view text);
/// The number on the first line of a file.
std::optional<double> number_in(const std::filesystem::path& path);

/// Names in a folder that begin so, in order; none where there is no folder.
std::vector<std::string> names_in(const std::filesystem::path& folder, std::string_view prefix);

/// "16.0 GiB".
std::string gibibytes(double bytes);

}  // namespace system_files

}  // namespace plumb
