// Apart from the tokenizers themselves, which need no libtorch and are fuzzed without it.

#include "base/error.h"
#include "models/formats/checkpoint.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {

Tokenizer Tokenizer::of(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  if (!checkpoint.is_gguf()) return open(path);
  try {
    return from_gguf(*checkpoint.gguf_header());
  } catch (const Error& error) {
    throw error.within(path.filename().string());
  }
}

}  // namespace plumb::models
