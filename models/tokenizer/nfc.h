#pragma once

#include <string>
#include <string_view>

namespace plumb::models {

/// Unicode Normalization Form C of well-formed UTF-8. Source: UAX #15, with the data of the Unicode
/// version that nfc_tables.cpp names; form C of assigned characters never changes from one version
/// to the next.
std::string to_nfc(std::string_view text);

/// True only if `text` equals its form C; a cheap test that most texts pass (no character from
/// U+0300 on).
bool is_surely_nfc(std::string_view text);

}  // namespace plumb::models
