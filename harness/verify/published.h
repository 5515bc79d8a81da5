#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/pipeline/facts.h"

namespace plumb::harness {

/// Numbers of the literature, from fixtures/claims. They are of other models and programs: a run of one of these models is
/// held to them, all others are shown beside them.

/// A curve over the fraction of blocks removed.
struct PublishedCurve {
  std::string label = {};     ///< "SLEB, Llama-2-7B"
  std::string quantity = {};  ///< "loss", normalised; or a task's name
  std::string source = {};
  std::vector<double> fractions = {};  ///< rising
  std::vector<double> values = {};
  std::vector<double> half_widths = {};  ///< none, or one a value
};

/// SLEB's losses and ShortGPT's losses and accuracies.
std::vector<PublishedCurve> published_curves();
/// Those of a quantity.
std::vector<PublishedCurve> published_curves(const std::string& quantity);

/// l*(n) of n = 1, 2, ...
struct PublishedStarts {
  std::string model;
  int64_t block_count = 0;
  std::vector<int64_t> first;
};
/// Of this model, or none. `names` then has those that there are.
std::optional<PublishedStarts> published_starts(const ModelFacts& model, std::string& names);

/// The fractions between which the paper's text has the accuracy of a model's family collapse on MMLU.
struct PublishedCollapse {
  std::string family;
  double low = 0, high = 0;
  double allowed_beside = 0;
};
std::optional<PublishedCollapse> published_collapse(const ModelFacts& model, std::string& names);

/// Accuracy on MMLU without blocks first..last.
struct PublishedRemoval {
  std::string model;
  int64_t first = 0, last = 0;
  double accuracy = 0;
};
std::vector<PublishedRemoval> published_removals();

/// Whether a model goes by one of these words: its repository, file or name, in lower case and without all but letters and
/// digits, holds it.
bool goes_by(const ModelFacts& model, const std::vector<std::string>& words);

}  // namespace plumb::harness
