#pragma once

#include <string_view>

#include "models/architecture.h"
#include "models/config.h"
#include "models/formats/gguf.h"

namespace plumb::models {

/// The config of a Hugging Face config.json. Error{kInput} naming the field for what is missing, of
/// another type, or asks for arithmetic that Plumb does not have (rope scaling, biases, a sliding
/// window, another activation, remote code).
ModelConfig config_from_json(std::string_view json);

/// The config of GGUF metadata; the vocabulary size is that of the embedding. Same refusals.
ModelConfig config_from_gguf(const GgufHeader& header);

}  // namespace plumb::models
