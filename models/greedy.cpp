#include "models/greedy.h"

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace plumb::models {
namespace {

at::Tensor row_of(std::span<const int32_t> ids) {
  at::Tensor out = at::empty({1, static_cast<int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), out.mutable_data_ptr<int64_t>());
  return out;
}

/// How many tokens all prompts begin with; each keeps one that is its own, whose state gives the first logits.
size_t shared_length(std::span<const std::vector<int32_t>> prompts) {
  const auto& first = prompts.front();
  size_t length = first.size();
  for (const auto& prompt : prompts) {
    const auto differ = std::mismatch(first.begin(), first.end(), prompt.begin(), prompt.end());
    length =
        std::min({length, static_cast<size_t>(differ.first - first.begin()), prompt.size() - 1});
  }
  return prompts.size() > 1 ? length : 0;
}

void require_usable(const Decoder& decoder, std::span<const std::vector<int32_t>> prompts,
                    const GreedyOptions& options) {
  if (options.max_tokens < 1)
    throw Error(ErrorKind::kUsage, text("at most ", options.max_tokens,
                                        " tokens may be written; at least 1 is needed"));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto length = static_cast<int64_t>(prompts[i].size());
    if (length < 1)
      throw Error(ErrorKind::kUsage, text("prompt ", i, " has no tokens; at least 1 is needed"));
    if (length + options.max_tokens > decoder.config().max_positions)
      throw Error(ErrorKind::kUsage, text("prompt ", i, " has ", length, " tokens and ",
                                          options.max_tokens, " may follow; the model has ",
                                          decoder.config().max_positions, " positions"));
  }
}

at::Tensor last_logits(const Decoder& decoder, const at::Tensor& x) {
  return decoder.logits(x.narrow(1, x.size(1) - 1, 1)).to(at::kCPU).contiguous();
}

int32_t most_likely(const at::Tensor& logits, size_t prompt) {
  const std::span<const float> row(logits.const_data_ptr<float>(),
                                   static_cast<size_t>(logits.numel()));
  if (!std::all_of(row.begin(), row.end(), [](float value) { return std::isfinite(value); }))
    throw Error(ErrorKind::kInput, text("a logit after prompt ", prompt,
                                        " is not finite: look for NaN or infinity in the model's "
                                        "weights"));
  return static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace

std::vector<std::vector<int32_t>> write_greedily(const Decoder& decoder,
                                                 std::span<const std::vector<int32_t>> prompts,
                                                 const GreedyOptions& options) {
  require_usable(decoder, prompts, options);
  if (prompts.empty()) return {};
  const c10::InferenceMode no_autograd;
  size_t longest = 0;
  for (const auto& prompt : prompts) longest = std::max(longest, prompt.size());
  KvCache cache = decoder.make_cache(1, static_cast<int64_t>(longest) + options.max_tokens);
  const size_t shared = shared_length(prompts);
  if (shared > 0) decoder.forward_cached(row_of(std::span(prompts.front()).first(shared)), cache);

  std::vector<std::vector<int32_t>> out;
  for (size_t i = 0; i < prompts.size(); ++i) {
    cache.length = static_cast<int64_t>(shared);
    const auto own = std::span(prompts[i]).subspan(shared);
    at::Tensor logits = last_logits(decoder, decoder.forward_cached(row_of(own), cache));
    std::vector<int32_t> written;
    for (;;) {
      const int32_t token = most_likely(logits, i);
      if (options.end == token) break;
      written.push_back(token);
      if (static_cast<int64_t>(written.size()) == options.max_tokens) break;
      if (options.stop && options.stop(written)) break;
      logits = decoder.decode(row_of({&token, 1}), cache);
    }
    out.push_back(std::move(written));
  }
  return out;
}

}  // namespace plumb::models
