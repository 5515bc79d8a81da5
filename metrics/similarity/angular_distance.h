#pragma once

#include <span>
#include <vector>

namespace plumb::metrics {

/// Angle between two hidden states, as a fraction of a half turn.
///
///     d(x, y) = arccos(<x, y> / (|x| |y|)) / pi,   0 = same direction, 1/2 = orthogonal, 1 =
///     opposite
///
/// Shapes  x, y: [D], the residual stream of one token entering block l and block l + n.
/// Unit    half turns, in [0, 1]; double, whatever the model's dtype.
/// Errors  Error{kInvariant} if the widths differ or are 0; Error{kInput} if a state is zero or not
///         finite.
/// Source  Gromov et al., "The Unreasonable Ineffectiveness of the Deeper Layers",
/// arXiv:2403.17887,
///         Eq 7.
///
/// Computed as 2 atan2(|u - v|, |u + v|) on unit vectors: arccos of a cosine near 1 loses half of
/// its digits, and neighbouring deep blocks are close to that.
double angular_distance(std::span<const float> x, std::span<const float> y);

/// x / |x| in double: what a state that takes part in many pairs is turned into once.
/// A float's square is a normal double whatever its exponent, so the norm neither overflows nor
/// underflows. Errors as above.
std::vector<double> unit_vector(std::span<const float> x);

/// The distance of two unit vectors; `angular_distance` is this of two `unit_vector`s, bit for bit.
double angle_between_units(std::span<const double> u, std::span<const double> v);

}  // namespace plumb::metrics
