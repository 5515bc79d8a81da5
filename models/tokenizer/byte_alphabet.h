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

/// "<0x0A>": how vocabularies of characters write a byte. Source: SentencePiece's byte pieces.
std::string byte_token(uint8_t byte);

/// The byte that `token` stands for, or none unless it is exactly <0x, two digits of 0-9A-F and >.
std::optional<uint8_t> byte_of_token(std::string_view token);

}  // namespace plumb::models
