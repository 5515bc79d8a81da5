#pragma once

#include <cstdint>

#include "models/decoder.h"

namespace plumb::models {

/// How far the mean loss of a document on another device may lie from the CPU's, in nats. Both compute the same sums;
/// what differs is their order, and with it where they round.
///
///     tolerance = kLossPerState * u * sqrt(2 L + 2) * max(1, loss / 4)
///
/// Every block adds two results to the stream of states, the embedding and the final norm make two more. Each of these
/// 2 L + 2 terms is off by about u of the state's size, in a direction of its own, so the errors add up like a random
/// walk. u is 2^-9 in bf16, half a unit in the last place of what is stored. In fp32 a stored value is exact to 2^-24,
/// but a sum of K products taken in another order is off by about sqrt(K) of that; K = 4096 gives 2^-18. A logit is
/// the product of a state of unit variance and a row of the unembedding, and differs by the logits' spread times the
/// state's error. kLossPerState = 8 is that spread (about 4 in a trained model) and a factor of 2 for the two sides.
/// A loss above 4 nats says that the logits are spread wider, as those of random weights and of a model that has lost
/// most of its blocks: the tolerance grows with it. A mean over positions only makes the difference smaller, which is
/// not counted.
///
/// 30 blocks, a loss of at most 4 nats: 2.4e-4 nats in fp32, 0.12 in bf16.
double device_loss_tolerance(Dtype dtype, int64_t block_count, double loss_nats);

}  // namespace plumb::models
