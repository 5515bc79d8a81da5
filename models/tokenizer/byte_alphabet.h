#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plumb::models {

/// GPT-2's printable alphabet: one character for each byte, so that a vocabulary of byte strings is
/// readable JSON. Printable bytes of Latin-1 stand for themselves; the other 68, in order, are
/// U+0100 and up (space is U+0120). Source: `bytes_to_unicode` of OpenAI's GPT-2 encoder.
std::string byte_symbol(uint8_t byte);

/// The bytes that `symbols` stand for, or none when a character is not of the alphabet.
std::optional<std::string> bytes_of_symbols(std::string_view symbols);

}  // namespace plumb::models
