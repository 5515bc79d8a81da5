#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/healing/healing_options.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::harness {

/// One of the sequences that a model is trained on, and the documents that it is of.
struct TrainingSequence {
  std::vector<int64_t> tokens;  ///< [T]
  int64_t first_document = 0;   ///< line numbers, from 0
  int64_t last_document = 0;
};

struct ValidationDocument {
  int64_t document = 0;
  std::vector<int64_t> tokens;  ///< at least 2, at most T
};

/// A file's name without folder, and its bytes' hash.
struct TextFile {
  std::string file;
  std::string sha256;
};

struct HealingText {
  std::vector<TrainingSequence> training;  ///< as many as the steps take, in file order
  std::vector<ValidationDocument> validation;
  int64_t training_documents = 0;  ///< that were read for `training`
  TextFile documents;
  TextFile validation_file;
  std::string validation_choice;  ///< in words

  /// Sequences [first, first + count) as [count, T] int64.
  at::Tensor batch(int64_t first, int64_t count) const;
};

inline constexpr int64_t kMostValidationDocuments = 64;

/// Training documents in file order, no cycling; documents that are validated on are never trained on. Without a file of its
/// own, the validation is the last tenth of the documents, at least 1 and at most 64; else the file's first 64. Either way those
/// of at least 2 tokens, cut to T.
///
/// Error{kInput} where the documents give fewer sequences than the steps take, with both numbers, or where nothing is left to
/// validate on.
HealingText read_healing_text(const HealingOptions& options, const models::Tokenizer& tokenizer);

/// The training alone, from all documents of the file: for who measures the healed model in another way. Errors as above.
HealingText read_training_text(const HealingOptions& options, const models::Tokenizer& tokenizer);

}  // namespace plumb::harness
