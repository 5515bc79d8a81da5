#pragma once

#include <cstdint>
#include <vector>

namespace plumb::models {

struct CodePointRange {
  uint32_t first = 0;
  uint32_t last = 0;  ///< inclusive
};

// Character classes exactly as Hugging Face `tokenizers` sees them, ascending. Its parts carry
// different Unicode versions, so the tables were read out of the library, code point by code point
// (make_tokenizer_ranges.py).
const std::vector<CodePointRange>& regex_letters();     ///< \p{L} of its regular expressions
const std::vector<CodePointRange>& regex_numbers();     ///< \p{N}
const std::vector<CodePointRange>& regex_spaces();      ///< \s
const std::vector<CodePointRange>& digit_characters();  ///< what the Digits pre-tokenizer splits at
const std::vector<CodePointRange>& word_characters();   ///< what may not touch a single_word token

/// In regex_letters or regex_numbers, but not in \p{L} or \p{N} of PCRE2 10.42, whose Unicode is
/// older.
const std::vector<CodePointRange>& letters_new_to_pcre2();
const std::vector<CodePointRange>& numbers_new_to_pcre2();

}  // namespace plumb::models
