#pragma once

#include <array>
#include <string_view>
#include <utility>

/// What feeds foreign bytes to one reader each. A refusal as Error{kInput} is what they hope for; anything
/// else that is thrown is a fault, and so is what a sanitizer sees. Used by the tests, which replay
/// fixtures/fuzz, and by cmake/fuzz, which searches for more.
namespace plumb::models::fuzz {

void safetensors(std::string_view bytes);
void gguf(std::string_view bytes);  ///< header, config and tokenizer
void index(std::string_view bytes);
void config(std::string_view bytes);
void tokenizer(std::string_view bytes);  ///< a tokenizer.json, and a text through it
void sentencepiece(std::string_view bytes);

inline constexpr std::array<std::pair<std::string_view, void (*)(std::string_view)>, 6> kTargets{{
    {"safetensors", safetensors},
    {"gguf", gguf},
    {"index", index},
    {"config", config},
    {"tokenizer", tokenizer},
    {"sentencepiece", sentencepiece},
}};

}  // namespace plumb::models::fuzz
