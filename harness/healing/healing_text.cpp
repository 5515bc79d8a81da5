#include "harness/healing/healing_text.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/remembered_hash.h"
#include "harness/cli/signals.h"
#include "harness/datasets/documents.h"

namespace plumb::harness {
namespace {

int64_t count_documents(const InputFile& file) {
  int64_t count = 0;
  visit_documents(file, [&](const models::Document&) {
    if (++count % 1024 == 0) throw_if_interrupted();
    return true;
  });
  return count;
}

class Reader {
 public:
  Reader(const HealingOptions& options, const models::Tokenizer& tokenizer)
      : options_(options), tokenizer_(tokenizer) {}

  /// Takes a training document; false where no more is needed.
  bool train_on(const models::Document& document) {
    throw_if_interrupted();
    const std::vector<int32_t> ids = encode(document);
    ++text_.training_documents;
    const auto T = static_cast<size_t>(options_.max_tokens);
    if (options_.packing == TextPacking::kCut) {
      if (ids.size() >= T)
        text_.training.push_back(
            {{ids.begin(), ids.begin() + options_.max_tokens}, document.line, document.line});
    } else {
      for (const int32_t id : ids) {
        if (rest_.tokens.empty()) rest_.first_document = document.line;
        rest_.tokens.push_back(id);
        rest_.last_document = document.line;
        if (rest_.tokens.size() < T) continue;
        text_.training.push_back(std::exchange(rest_, {}));
        if (is_enough()) break;
      }
    }
    return !is_enough();
  }

  /// Takes a validation document; false where there are enough.
  bool validate_on(const models::Document& document) {
    throw_if_interrupted();
    std::vector<int32_t> ids = encode(document);
    ids.resize(std::min(ids.size(), static_cast<size_t>(options_.max_tokens)));
    if (ids.size() >= 2) text_.validation.push_back({document.line, {ids.begin(), ids.end()}});
    return std::ssize(text_.validation) < kMostValidationDocuments;
  }

  bool is_enough() const { return std::ssize(text_.training) >= options_.sequences(); }
  HealingText& text() { return text_; }

 private:
  std::vector<int32_t> encode(const models::Document& document) const {
    return tokenizer_.encode(document.text, options_.special_tokens);
  }

  const HealingOptions& options_;
  const models::Tokenizer& tokenizer_;
  HealingText text_;
  TrainingSequence rest_;
};

void require_enough(const HealingOptions& o, const HealingText& found, int64_t training_documents) {
  const int64_t needed = o.sequences(), T = o.max_tokens;
  const int64_t have = std::ssize(found.training);
  if (have >= needed) return;
  const int64_t steps = have / (o.batch * o.accumulation);
  throw Error(ErrorKind::kInput,
              text("'", o.documents, "' gives ", have, " sequences of ", T, " tokens in ",
                   training_documents, " documents to train on; ", o.steps, " steps of ",
                   o.batch * o.accumulation, " need ", needed, ": give a longer file, ",
                   steps > 0 ? text("at most ", steps, " --steps, ") : std::string(),
                   "or a smaller --batch or --max-tokens",
                   o.packing == TextPacking::kCut ? ", or --packing concat" : ""));
}

}  // namespace

at::Tensor HealingText::batch(int64_t first, int64_t count) const {
  const auto T = std::ssize(training.at(static_cast<size_t>(first)).tokens);
  at::Tensor out = at::empty({count, T}, at::kLong);
  auto* ids = out.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i)
    std::ranges::copy(training.at(static_cast<size_t>(first + i)).tokens, ids + i * T);
  return out;
}

HealingText read_training_text(const HealingOptions& options, const models::Tokenizer& tokenizer) {
  const InputFile file(options.documents);
  Reader reader(options, tokenizer);
  int64_t number = 0;
  visit_documents(file, [&](const models::Document& document) {
    ++number;
    return reader.train_on(document);
  });
  require_enough(options, reader.text(), number);
  HealingText& out = reader.text();
  out.documents = {file.path().filename().string(), remembered_sha256(file)};
  return std::move(out);
}

HealingText read_healing_text(const HealingOptions& options, const models::Tokenizer& tokenizer) {
  const InputFile file(options.documents);
  const bool apart = !options.validation.empty();
  const int64_t all = apart ? 0 : count_documents(file);
  const int64_t held = std::clamp<int64_t>(all / 10, 1, kMostValidationDocuments);
  if (!apart && all < 2)
    throw Error(ErrorKind::kInput,
                text("'", options.documents, "' has ", all,
                     " documents; needed are 2, one to train and one to validate on, or "
                     "--validation with a file of its own"));
  Reader reader(options, tokenizer);
  int64_t number = 0;
  visit_documents(file, [&](const models::Document& document) {
    const int64_t index = number++;
    if (!apart && index >= all - held) return reader.validate_on(document);
    if (!reader.is_enough()) reader.train_on(document);
    return !(apart && reader.is_enough());
  });
  require_enough(options, reader.text(), apart ? number : all - held);
  const InputFile validation(apart ? options.validation : options.documents);
  if (apart)
    visit_documents(validation, [&](const models::Document& d) { return reader.validate_on(d); });
  HealingText& out = reader.text();
  if (out.validation.empty())
    throw Error(ErrorKind::kInput, text("'", validation.path().string(),
                                        "' has no document of at least 2 tokens to validate on"));
  out.documents = {file.path().filename().string(), remembered_sha256(file)};
  out.validation_file = {validation.path().filename().string(), remembered_sha256(validation)};
  out.validation_choice =
      apart ? text("the first ", out.validation.size(), " documents of the file")
            : text("the last ", held, " of the ", all, " documents, which are not trained on");
  return std::move(out);
}

}  // namespace plumb::harness
