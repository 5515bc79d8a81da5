#include "models/config.h"

#include <cmath>

#include "base/error.h"

namespace plumb::models {
namespace {

void require_range(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    throw Error(ErrorKind::kInput,
                text("the model's ", field, " is ", value, "; it must be ", low, " to ", high));
}

void require_positive(const char* field, double value) {
  if (!std::isfinite(value) || value <= 0)
    throw Error(ErrorKind::kInput,
                text("the model's ", field, " is ", value, "; it must be finite and above 0"));
}

void require_token(const char* field, const std::optional<int64_t>& token,
                   int64_t vocabulary_size) {
  if (token) require_range(field, *token, 0, vocabulary_size - 1);
}

}  // namespace

void validate(const ModelConfig& config) {
  constexpr int64_t kWidest = int64_t{1} << 20;
  require_range("number of blocks", config.block_count, 1, 512);
  require_range("width", config.width, 1, kWidest);
  require_range("number of heads", config.head_count, 1, 65536);
  require_range("number of key and value heads", config.kv_head_count, 1, config.head_count);
  require_range("head width", config.head_width, 1, 65536);
  require_range("feed-forward width", config.feed_forward_width, 1, kWidest);
  require_range("vocabulary size", config.vocabulary_size, 1, int64_t{1} << 24);
  require_range("largest number of positions", config.max_positions, 1, int64_t{1} << 31);
  if (config.head_count % config.kv_head_count != 0)
    throw Error(ErrorKind::kInput,
                text("the model has ", config.head_count, " heads and ", config.kv_head_count,
                     " key and value heads; the second must "
                     "divide the first"));
  require_range("rotary width", config.rotary_width, 2, config.head_width);
  if (config.rotary_width % 2 != 0)
    throw Error(ErrorKind::kInput, text("the model's rotary width is ", config.rotary_width, " of ",
                                        config.head_width, "; rotary embedding needs an even one"));
  require_positive("norm epsilon", config.norm_epsilon);
  require_positive("rope theta", config.rope_theta);
  require_range("attention window", config.window, 0, int64_t{1} << 31);
  if (config.rope_scaling.kind != RopeScaling::Kind::kNone) {
    require_positive("rope scaling factor", config.rope_scaling.factor);
    require_positive("rope scaling's low frequency factor",
                     config.rope_scaling.low_frequency_factor);
    require_range("number of positions before rope scaling", config.rope_scaling.original_positions,
                  1, int64_t{1} << 31);
    if (!(config.rope_scaling.high_frequency_factor > config.rope_scaling.low_frequency_factor))
      throw Error(ErrorKind::kInput, text("the model's rope scaling has the high frequency factor ",
                                          config.rope_scaling.high_frequency_factor,
                                          "; it must be above the low one, ",
                                          config.rope_scaling.low_frequency_factor));
  }
  require_token("BOS token", config.bos_token, config.vocabulary_size);
  require_token("EOS token", config.eos_token, config.vocabulary_size);
}

}  // namespace plumb::models
