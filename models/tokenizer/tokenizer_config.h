#pragma once

#include <string>

#include "models/tokenizer/definition.h"
#include "models/tokenizer/json_reader.h"

namespace plumb::models {

/// One added token as tokenizer.json and tokenizer_config.json describe it.
AddedToken read_added_token(const JsonObject& token, int32_t id);

/// Sorts `definition.added` by id and holds it against the vocabulary: Error{kInput} at `where`
/// when the two give a token different ids, or an id different tokens.
void arrange_added_tokens(const JsonObject& where, TokenizerDefinition& definition);

/// From the text of a tokenizer_config.json: BOS, EOS, UNK and PAD where it names them, and the
/// chat template. `decides`: nothing else says what stands before and after a text, so its
/// add_bos_token and add_eos_token do; where it has none, a text begins with BOS if its class is
/// one of Llama's or Gemma's or, without a class, if `bos`.
void read_tokenizer_config(std::string source, bool decides, bool bos,
                           TokenizerDefinition& definition);

}  // namespace plumb::models
