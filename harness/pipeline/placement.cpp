#include "harness/pipeline/placement.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "harness/cli/console.h"
#include "models/aten_block.h"

namespace plumb::harness {

namespace {

/// Tokens of the largest step, whatever the stage: profile, sweep, prefill.
int64_t step_tokens(const Experiment& e) {
  const int64_t documents =
      std::max(e.calibration_text().max_tokens, e.validation.max_tokens) * e.documents_per_step;
  return std::max({documents, e.prefill_tokens, e.decode_context + e.decode_tokens});
}

/// Most states that a depth-first walk holds, one for each open branch, and the block's input and output.
uint64_t state_bytes(const models::Decoder& decoder, int64_t tokens) {
  const auto values = static_cast<uint64_t>(tokens * decoder.config().width);
  const uint64_t width = decoder.dtype() == models::Dtype::kFp32 ? 4 : 2;
  return values * width * static_cast<uint64_t>(decoder.block_count() + 2);
}

}  // namespace

models::ComputeDevice device_of(const Experiment& experiment) {
  return models::open_device(experiment.device);
}

uint64_t device_block_bytes(const models::ComputeDevice& device, const models::Decoder& decoder,
                            const Experiment& experiment, uint64_t limit_bytes) {
  const uint64_t free = device.facts().free_bytes;
  const uint64_t usable = free / 10 * 9;
  const uint64_t allowed = limit_bytes == 0 ? usable
                           : free == 0      ? limit_bytes
                                            : std::min(limit_bytes, usable);
  if (allowed == 0)
    throw Error(ErrorKind::kResource, text("device '", device.name,
                                           "' does not say how much memory it has: name what it "
                                           "may take with --memory-limit"));
  const int64_t tokens = step_tokens(experiment);
  const uint64_t head = decoder.unembedding().nbytes(),
                 work = models::aten_working_bytes(decoder.config(), tokens) +
                        state_bytes(decoder, tokens);
  if (allowed <= head + work)
    throw Error(
        ErrorKind::kResource,
        text("device '", device.name, "' may take ", bytes_text(allowed), ", but the head needs ",
             bytes_text(head), " and a step of ", tokens, " tokens ", bytes_text(work),
             ": take fewer --documents-per-step or tokens, or raise --memory-limit"));
  return allowed - head - work;
}

models::Decoder placed(models::Decoder decoder, const Experiment& experiment,
                       uint64_t limit_bytes) {
  const models::ComputeDevice device = device_of(experiment);
  if (device.is_cpu()) return decoder;
  return decoder.on(device.device, device_block_bytes(device, decoder, experiment, limit_bytes));
}

}  // namespace plumb::harness
