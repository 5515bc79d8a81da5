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

size_t character_length(std::string_view text, size_t at) {
  const char* next = text.data() + at;
  next_code_point(next);
  return static_cast<size_t>(next - text.data()) - at;
}

}  // namespace

PreTokenizer::PreTokenizer(const std::vector<PreTokenizerStep>& steps) {
  using Kind = PreTokenizerStep::Kind;
  for (size_t i = 0; i < steps.size(); ++i)
    if ((steps[i].kind == Kind::kByteLevel) != (i + 1 == steps.size()))
      throw Error(ErrorKind::kInput,
                  "ByteLevel must be the last step of the pre-tokenizer, and the only one");
  if (steps.empty())
    throw Error(ErrorKind::kInput,
                "the pre-tokenizer has no ByteLevel step; Plumb reads byte-level BPE");
  for (const PreTokenizerStep& step : steps) {
    Step made{step, std::nullopt};
    if (step.kind == Kind::kSplit && !step.literal) made.regex.emplace(step.pattern);
    steps_.push_back(std::move(made));
  }
}

void PreTokenizer::split(std::string_view text, RegexScratch& scratch, WordSink& sink) const {
  if (!text.empty()) run(0, text, scratch, sink);
}

void PreTokenizer::run(size_t step, std::string_view piece, RegexScratch& scratch,
                       WordSink& sink) const {
  switch (steps_[step].options.kind) {
    case PreTokenizerStep::Kind::kByteLevel:
      return byte_level(steps_[step].options, piece, sink);
    case PreTokenizerStep::Kind::kDigits:
      return run_digits(step, piece, scratch, sink);
    case PreTokenizerStep::Kind::kSplit:
      return run_split(step, piece, scratch, sink);
  }
}

void PreTokenizer::run_digits(size_t step, std::string_view piece, RegexScratch& scratch,
                              WordSink& sink) const {
  const auto& classes = CharacterClasses::table();
  const bool individual = steps_[step].options.individual_digits;
  const char* const end = piece.data() + piece.size();
  const char* begin = piece.data();  // of the piece that is being collected
  bool collecting_digits = false;
  const auto flush = [&](const char* until) {
    if (begin != until) run(step + 1, {begin, static_cast<size_t>(until - begin)}, scratch, sink);
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

void PreTokenizer::run_split(size_t step, std::string_view piece, RegexScratch& scratch,
                             WordSink& sink) const {
  const Step& current = steps_[step];
  auto pieces = delimiters(current, piece, scratch);
  if (current.options.invert)
    for (Piece& p : pieces) p.flag = !p.flag;
  for (const Piece& p : arrange(current.options.behaviour, std::move(pieces)))
    if (!p.flag && p.begin != p.end)
      run(step + 1, piece.substr(p.begin, p.end - p.begin), scratch, sink);
}

// The whole piece in order, matches flagged. An empty match counts, but not right behind another
// match.
std::vector<PreTokenizer::Piece> PreTokenizer::delimiters(const Step& step, std::string_view piece,
                                                          RegexScratch& scratch) {
  const std::string& literal = step.options.pattern;
  if (step.options.literal && literal.empty()) return {{0, piece.size(), false}};
  const auto find = [&](size_t from) -> std::optional<std::pair<size_t, size_t>> {
    if (!step.options.literal) return step.regex->find(piece, from, scratch);
    const size_t found = piece.find(literal, from);
    if (found == std::string_view::npos) return std::nullopt;
    return std::pair(found, found + literal.size());
  };
  std::vector<Piece> pieces;
  size_t covered = 0, from = 0;
  std::optional<size_t> last_end;
  while (from <= piece.size()) {
    const auto match = find(from);
    if (!match) break;
    const auto [begin, end] = *match;
    if (begin == end && last_end == end) {
      from += from < piece.size() ? character_length(piece, from) : 1;
      continue;
    }
    if (covered != begin) pieces.push_back({covered, begin, false});
    pieces.push_back({begin, end, true});
    covered = from = end;
    last_end = end;
  }
  if (covered != piece.size()) pieces.push_back({covered, piece.size(), false});
  return pieces;
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
                      : behaviour == Behaviour::kContiguous ? piece.flag == previous
                                                            : piece.flag && !previous;
    if (join && !joined.empty()) {
      backwards ? joined.back().begin = piece.begin : joined.back().end = piece.end;
    } else {
      joined.push_back({piece.begin, piece.end, false});
    }
    previous = piece.flag;
  }
  if (backwards) std::reverse(joined.begin(), joined.end());
  return joined;
}

}  // namespace plumb::models
