#include "models/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "models/tokenizer/unicode.h"

namespace plumb::models {
namespace {

using Behaviour = PreTokenizerStep::Behaviour;

void words_of_gpt2(std::string_view piece, WordSink& sink) {
  const char* const end = piece.data() + piece.size();
  for (const char* at = piece.data(); at != end;) {
    const char* const word_end = gpt2_word_end(at, end);
    sink.word({at, static_cast<size_t>(word_end - at)});
    at = word_end;
  }
}

void byte_level(const PreTokenizerStep& step, std::string_view piece, WordSink& sink) {
  std::string prefixed;
  if (step.add_prefix_space && !piece.starts_with(' '))
    piece = prefixed.append(1, ' ').append(piece);
  step.use_regex ? words_of_gpt2(piece, sink) : sink.word(piece);
}

}  // namespace

PreTokenizer::PreTokenizer(const std::vector<PreTokenizerStep>& steps) {
  using Kind = PreTokenizerStep::Kind;
  for (size_t i = 0; i + 1 < steps.size(); ++i)
    if (steps[i].kind == Kind::kByteLevel)
      throw Error(ErrorKind::kInput,
                  "ByteLevel must be the last step of the pre-tokenizer, and the only one");
  for (const PreTokenizerStep& step : steps) {
    Step made{step, std::nullopt};
    if (step.kind == Kind::kMetaspace && step.pattern.empty())
      throw Error(ErrorKind::kInput, "Metaspace needs a replacement, found an empty one");
    if (step.kind == Kind::kSplit) made.pattern.emplace(step.pattern, step.literal);
    if (step.kind == Kind::kMetaspace) made.pattern.emplace(step.pattern, /*literal=*/true);
    steps_.push_back(std::move(made));
  }
}

void PreTokenizer::split(std::string_view text, bool first, RegexScratch& scratch,
                         WordSink& sink) const {
  Run to{scratch, sink};
  if (!text.empty()) run(0, text, first, to);
}

void PreTokenizer::run(size_t step, std::string_view piece, bool first, Run& to) const {
  if (step == steps_.size()) return to.sink.word(piece);
  switch (steps_[step].options.kind) {
    case PreTokenizerStep::Kind::kByteLevel:
      return byte_level(steps_[step].options, piece, to.sink);
    case PreTokenizerStep::Kind::kDigits:
      return run_digits(step, piece, first, to);
    case PreTokenizerStep::Kind::kSplit:
      return run_split(step, piece, first, to);
    case PreTokenizerStep::Kind::kMetaspace:
      return run_metaspace(step, piece, first, to);
  }
}

void PreTokenizer::run_digits(size_t step, std::string_view piece, bool first, Run& to) const {
  const auto& classes = CharacterClasses::table();
  const bool individual = steps_[step].options.individual_digits;
  const char* const end = piece.data() + piece.size();
  const char* begin = piece.data();  // of the piece that is being collected
  bool collecting_digits = false;
  const auto flush = [&](const char* until) {
    const std::string_view part(begin, static_cast<size_t>(until - begin));
    if (!part.empty()) run(step + 1, part, first && begin == piece.data(), to);
    begin = until;
  };
  for (const char* at = begin; at != end;) {
    const char* const character = at;
    const bool digit = (classes.of(next_code_point(at)) & CharacterClasses::kDigit) != 0;
    if (digit ? individual || !collecting_digits : collecting_digits) flush(character);
    collecting_digits = digit;
  }
  flush(end);
}

void PreTokenizer::run_split(size_t step, std::string_view piece, bool first, Run& to) const {
  const Step& current = steps_[step];
  auto pieces = current.pattern->pieces(piece, to.scratch);
  if (current.options.invert)
    for (Piece& p : pieces) p.matches = !p.matches;
  for (const Piece& p : arrange(current.options.behaviour, std::move(pieces)))
    if (!p.matches && p.begin != p.end)
      run(step + 1, piece.substr(p.begin, p.end - p.begin), first && p.begin == 0, to);
}

void PreTokenizer::run_metaspace(size_t step, std::string_view piece, bool first, Run& to) const {
  const PreTokenizerStep& options = steps_[step].options;
  std::string made;
  for (const char c : piece) c == ' ' ? made += options.pattern : made += c;
  using Prepend = PreTokenizerStep::Prepend;
  if ((options.prepend == Prepend::kAlways || (options.prepend == Prepend::kFirst && first)) &&
      !made.starts_with(options.pattern))
    made.insert(0, options.pattern);
  if (!options.split) return run(step + 1, made, first, to);
  auto pieces = steps_[step].pattern->pieces(made, to.scratch);
  for (const Piece& p : arrange(Behaviour::kMergedWithNext, std::move(pieces)))
    run(step + 1, std::string_view(made).substr(p.begin, p.end - p.begin), first && p.begin == 0,
        to);
}

// Joins delimiters to their neighbours as `tokenizers`' SplitDelimiterBehavior does.
std::vector<PreTokenizer::Piece> PreTokenizer::arrange(Behaviour behaviour,
                                                       std::vector<Piece> pieces) {
  if (behaviour == Behaviour::kRemoved) return pieces;
  std::vector<Piece> joined;
  const bool backwards = behaviour == Behaviour::kMergedWithNext;
  if (backwards) std::reverse(pieces.begin(), pieces.end());
  bool previous = false;
  for (const Piece& piece : pieces) {
    const bool join = behaviour == Behaviour::kIsolated     ? false
                      : behaviour == Behaviour::kContiguous ? piece.matches == previous
                                                            : piece.matches && !previous;
    if (join && !joined.empty()) {
      backwards ? joined.back().begin = piece.begin : joined.back().end = piece.end;
    } else {
      joined.push_back({piece.begin, piece.end, false});
    }
    previous = piece.matches;
  }
  if (backwards) std::reverse(joined.begin(), joined.end());
  return joined;
}

}  // namespace plumb::models
