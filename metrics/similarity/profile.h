#pragma once

#include <functional>

#include "metrics/similarity/best_start.h"
#include "metrics/similarity/distance_matrix.h"
#include "models/activation_store.h"
#include "models/decoder.h"
#include "models/documents.h"

namespace plumb::metrics {

/// Called with documents done and documents in all.
using Progress = std::function<void(int64_t, int64_t)>;

/// One pass over `batch`: keeps the L + 1 last-token states of each document, and the cosine of
/// every block's input and output at every position.
///
/// Documents go `documents_per_step` = B at a time, in order. All products have B sequences: a last
/// step with fewer documents is filled up with its own last one, whose copies are not counted. So a
/// document's values depend on the decoder, the tokens, its place in its step and B alone, never on
/// how many documents follow it; another B may change the low bits, as other shapes of a product
/// do. Holds two activations [B, T, D].
///
/// Where the decoder's blocks come and go the outer loop is over them and the inner one over steps: each is got once, and
/// the activations of all documents wait in `room`. The bits are the same.
///
/// Error{kInput} naming block and document when a state is zero or not finite, or when there is no
/// document; Error{kUsage} for documents_per_step below 1.
Profile profile(const models::Decoder& decoder, const models::TokenBatch& batch,
                int64_t documents_per_step, const Progress& progress = {},
                models::ActivationRoom room = {});

}  // namespace plumb::metrics
