#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "metrics/tasks/prompt.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::metrics {

enum class Reading {
  kLetters,  ///< the logits of `letters` after the last token of the one sequence
  kLogProbabilities,  ///< of each sequence the sum of ln p of its tokens from `context` on, given those before
  kGeneration,  ///< what is written greedily after the one sequence
};

/// Token ids in a row. Of kLogProbabilities the last one is read and not run: it is no input.
struct Sequence {
  std::vector<int32_t> ids;
  int64_t context = 0;  ///< how many of them are given; the rest is scored
};

/// What one question asks of a model, in token ids. Values come back one a letter or one a sequence, in the order of the
/// question's choices. Requests of one subject begin with the same ids (its shots), and the sequences of one request
/// with its context; `shared_prefix` says how far.
struct Request {
  Reading reading = Reading::kLogProbabilities;
  std::vector<Sequence> sequences;
  std::vector<int32_t> letters;  ///< one a choice; of kLetters alone

  int64_t shots = 0;          ///< that the prompt has
  int64_t shots_dropped = 0;  ///< that the prompt should have had and had no room for
  int64_t tokens_cut = 0;     ///< from the left, of the sequence that lost most
  bool shown = false;         ///< the question's text is among its shots
  std::string prompt_hash, target_hash;

  /// Tokens that a model is run on, over all sequences, nothing shared.
  int64_t token_count() const;
};

/// The number of ids at the beginning of both that are the same.
size_t shared_prefix(std::span<const int32_t> a, std::span<const int32_t> b);

/// How a task's questions become requests.
struct RequestOptions {
  int64_t max_tokens = 0;  ///< positions that the model has
  int64_t shots = -1;      ///< asked for; below 0 the task's default
  /// Put before each prompt what the tokenizer's own files put there (a BOS), unless the text begins with it. Nothing is put
  /// behind it.
  bool special_tokens = true;
};

/// Tokenises as lm-eval 0.4.13 does: the whole prompt at once; white space at a context's end goes to its continuation;
/// a choice's ids are those of context and continuation together, after as many as the context alone has. A sequence that is
/// longer than the model is cut from the left, so that max_tokens ids are run; where the task drops shots rather, they go
/// one by one from the last, and only a prompt without any is cut.
/// Const functions may run concurrently. Task, tokenizer and the questions of `pool` must outlive it.
class RequestMaker {
 public:
  /// Error{kUsage} for max_tokens below 1, or a number of shots that the task cannot have.
  RequestMaker(const Task& task, const models::Tokenizer& tokenizer, ShotPool pool,
               RequestOptions options);

  /// Error{kInput} with the question's line: a letter that is not one token after the prompt, or the same as another's;
  /// a context or continuation without tokens; a continuation longer than the model; too few shots; see make_prompt.
  Request make(const Question& question) const;
  int64_t shots() const { return shots_; }

 private:
  std::vector<int32_t> encode(const std::string& text) const;
  Sequence split(const std::string& context, const std::string& continuation,
                 const std::vector<int32_t>& context_ids) const;
  std::vector<int32_t> letters(const Prompt& prompt) const;
  void add_sequences(const Prompt& prompt, Request& request) const;
  int64_t room() const;
  void cut(Request& request) const;

  const Task& task_;
  const models::Tokenizer& tokenizer_;
  ShotPool pool_;
  RequestOptions options_;
  int64_t shots_ = 0;
  std::vector<int32_t> prefix_;  ///< special tokens before a text
};

}  // namespace plumb::metrics
