#pragma once

#include <string>
#include <string_view>

namespace plumb::models {

/// Unicode Normalization Form C of well-formed UTF-8, as `tokenizers` makes it. Source: UAX #15,
/// with the rows of nfc_tables.cpp; marks that are newer than `tokenizers`' Unicode stay where they
/// are, as they do there.
std::string to_nfc(std::string_view text);

/// True only if `text` equals its form C; a cheap test that most texts pass (no character from
/// U+0300 on).
bool is_surely_nfc(std::string_view text);

}  // namespace plumb::models
