#pragma once

#include <span>
#include <vector>

namespace plumb {

/// Adjusted p-values of a family of tests, in the order given; each in [p, 1]. Nothing for none.
/// Error{kInvariant} for a p outside of [0, 1].

/// Holm 1979, step-down: the chance of any false rejection, whatever depends on what. For a gate.
std::vector<double> holm(std::span<const double> p_values);

/// Benjamini and Hochberg 1995, step-up: the expected share of false among the rejected, for tests
/// that are independent or depend positively. For exploration.
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

/// Benjamini and Yekutieli 2001: the same under any dependence, at the price of a factor
/// 1 + 1/2 + ... + 1/m.
std::vector<double> benjamini_yekutieli(std::span<const double> p_values);

}  // namespace plumb
