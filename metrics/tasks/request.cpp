#include "metrics/tasks/request.h"

#include <algorithm>

#include "base/error.h"

namespace plumb::metrics {
namespace {

/// Special tokens that the tokenizer puts before a text. Found around a text that has no token in common with them.
std::vector<int32_t> prefix_of(const models::Tokenizer& tokenizer) {
  const std::vector<int32_t> plain = tokenizer.encode("a");
  const std::vector<int32_t> whole = tokenizer.encode("a", true);
  const auto at = std::search(whole.begin(), whole.end(), plain.begin(), plain.end());
  if (at == whole.end())
    throw Error(ErrorKind::kInput,
                "with special tokens this tokenizer gives a text other ids than without");
  return {whole.begin(), at};
}

bool is_shown(const Question& question, std::span<const Question* const> shots) {
  return std::any_of(shots.begin(), shots.end(),
                     [&](const Question* shot) { return shot->fields == question.fields; });
}

}  // namespace

size_t shared_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t most = std::min(a.size(), b.size());
  size_t count = 0;
  while (count < most && a[count] == b[count]) ++count;
  return count;
}

int64_t Request::token_count() const {
  int64_t count = 0;
  for (const Sequence& sequence : sequences)
    count +=
        static_cast<int64_t>(sequence.ids.size()) - (reading == Reading::kLogProbabilities ? 1 : 0);
  return count;
}

RequestMaker::RequestMaker(const Task& task, const models::Tokenizer& tokenizer, ShotPool pool,
                           RequestOptions options)
    : task_(task),
      tokenizer_(tokenizer),
      pool_(std::move(pool)),
      options_(options),
      shots_(options.shots < 0 ? task.shots.count : options.shots) {
  if (shots_ > 0 && task.shots.file.empty())
    throw Error(ErrorKind::kUsage, text(shots_, " shots were asked for, but the task '", task.name,
                                        "' names no file with any; needed are 0"));
  if (room() < 1)
    throw Error(ErrorKind::kUsage,
                text("the model has ", options.max_tokens, " positions; the task '", task.name,
                     "' needs more than ", options.max_tokens - room()));
  if (options.special_tokens) prefix_ = prefix_of(tokenizer);
}

int64_t RequestMaker::room() const {
  return options_.max_tokens - (task_.generate ? task_.generate->max_tokens : 0);
}

std::vector<int32_t> RequestMaker::encode(const std::string& text_to_read) const {
  std::vector<int32_t> ids = tokenizer_.encode(text_to_read);
  if (shared_prefix(ids, prefix_) < prefix_.size())
    ids.insert(ids.begin(), prefix_.begin(), prefix_.end());
  return ids;
}

Sequence RequestMaker::split(const std::string& context, const std::string& continuation,
                             const std::vector<int32_t>& context_ids) const {
  const std::vector<int32_t> whole = encode(context + continuation);
  if (context_ids.empty())
    throw Error(ErrorKind::kInput,
                "the prompt has no token; needed is at least one before a choice");
  if (whole.size() <= context_ids.size())
    throw Error(ErrorKind::kInput, text(shown_text(continuation), " adds no token to the prompt"));
  Sequence out;
  out.context = static_cast<int64_t>(context_ids.size());
  out.ids = context_ids;
  out.ids.insert(out.ids.end(), whole.begin() + out.context, whole.end());
  return out;
}

void RequestMaker::add_sequences(const Prompt& prompt, Request& request) const {
  const bool scored = request.reading == Reading::kLogProbabilities;
  const size_t count = scored ? prompt.continuations.size() : 1;
  std::string context;
  std::vector<int32_t> ids;
  for (size_t i = 0; i < count; ++i) {
    const std::string& whole = prompt.contexts[prompt.contexts.size() == 1 ? 0 : i];
    // A text that is written after the prompt is a continuation too: its first word brings its own space.
    const size_t moved = trailing_space(whole);
    if (i == 0 || prompt.contexts.size() > 1) {
      context = whole.substr(0, whole.size() - moved);
      ids = encode(request.reading == Reading::kGeneration ? whole : context);
    }
    if (scored) {
      request.sequences.push_back(
          split(context, whole.substr(whole.size() - moved) + prompt.continuations[i], ids));
    } else {
      if (ids.empty()) throw Error(ErrorKind::kInput, "the prompt has no token");
      request.sequences.push_back({ids, static_cast<int64_t>(ids.size())});
    }
  }
}

std::vector<int32_t> RequestMaker::letters(const Prompt& prompt) const {
  const std::string& whole = prompt.contexts[0];
  const size_t moved = trailing_space(whole);
  // The last line decides: no vocabulary has a token that reaches across a line's end into the next line's words.
  const size_t end = whole.size() - moved;
  const size_t line = whole.rfind('\n', end == 0 ? 0 : end - 1);
  const std::string tail = whole.substr(line == std::string::npos ? 0 : line + 1,
                                        end - (line == std::string::npos ? 0 : line + 1));
  const std::vector<int32_t> ids = encode(tail);
  std::vector<int32_t> out;
  for (const std::string& continuation : prompt.continuations) {
    const Sequence both = split(tail, whole.substr(end) + continuation, ids);
    if (static_cast<int64_t>(both.ids.size()) != both.context + 1)
      throw Error(ErrorKind::kInput,
                  text(shown_text(continuation), " after the prompt is ",
                       static_cast<int64_t>(both.ids.size()) - both.context,
                       " tokens of this tokenizer; needed is one: use scoring continuation"));
    if (std::find(out.begin(), out.end(), both.ids.back()) != out.end())
      throw Error(ErrorKind::kInput,
                  text(shown_text(continuation),
                       " after the prompt is the same token as another choice's"));
    out.push_back(both.ids.back());
  }
  return out;
}

void RequestMaker::cut(Request& request) const {
  const int64_t unread = request.reading == Reading::kLogProbabilities ? 1 : 0;
  for (Sequence& sequence : request.sequences) {
    const auto size = static_cast<int64_t>(sequence.ids.size());
    const int64_t over = size - unread - room();
    if (over <= 0) continue;
    if (over >= sequence.context)
      throw Error(ErrorKind::kInput,
                  text("a choice has ", size - sequence.context, " tokens; the model has ",
                       options_.max_tokens, " positions"));
    sequence.ids.erase(sequence.ids.begin(), sequence.ids.begin() + over);
    sequence.context -= over;
    request.tokens_cut = std::max(request.tokens_cut, over);
  }
}

Request RequestMaker::make(const Question& question) const try {
  auto shots = pool_.first(question, shots_);
  Request request;
  for (;;) {
    const Prompt prompt = make_prompt(task_, question, shots);
    request = {};
    request.reading = task_.scoring == Scoring::kLetter     ? Reading::kLetters
                      : task_.scoring == Scoring::kGenerate ? Reading::kGeneration
                                                            : Reading::kLogProbabilities;
    add_sequences(prompt, request);
    cut(request);
    const bool drop = task_.shots.drop && request.tokens_cut > 0 && !shots.empty();
    if (!drop) {
      if (request.reading == Reading::kLetters) request.letters = letters(prompt);
      request.prompt_hash = prompt_hash(prompt);
      break;
    }
    shots.pop_back();
  }
  request.shots = static_cast<int64_t>(shots.size());
  request.shots_dropped = shots_ - request.shots;
  request.shown = is_shown(question, shots);
  request.target_hash = target_hash(task_, question);
  return request;
} catch (const Error& error) {
  throw error.within(text("line ", question.line));
}

}  // namespace plumb::metrics
