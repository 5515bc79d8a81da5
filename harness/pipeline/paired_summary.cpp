#include "harness/pipeline/paired_summary.h"

#include "base/error.h"
#include "base/statistics/multiplicity.h"
#include "harness/cli/console.h"

namespace plumb::harness {

PairedSummary summarise_pair(std::span<const uint8_t> first, std::span<const uint8_t> second,
                             std::span<const int64_t> clusters) {
  PairedSummary out;
  out.counts = count_pairs(first, second);
  const PairedEvidence evidence = clusters.empty()
                                      ? paired_evidence(out.counts)
                                      : clustered_paired_evidence(first, second, clusters);
  out.difference = evidence.difference();
  out.interval = difference_interval(evidence);
  out.p = out.p_holm = out.p_bh = mcnemar_p(out.counts);
  const auto questions = static_cast<double>(out.counts.questions());
  if (const int64_t differing = out.counts.discordant(); differing > 0)
    out.detectable = minimum_detectable_difference(out.counts.questions(),
                                                   static_cast<double>(differing) / questions);
  out.flat = non_inferiority(evidence, kFlatMargin);
  return out;
}

void adjust_family(std::span<PairedSummary* const> family) {
  std::vector<double> p;
  for (const PairedSummary* const pair : family) p.push_back(pair->p);
  const auto family_wise = holm(p), discovery = benjamini_hochberg(p);
  for (size_t i = 0; i < family.size(); ++i) {
    family[i]->p_holm = family_wise[i];
    family[i]->p_bh = discovery[i];
  }
}

std::string detectable_text(int64_t questions) {
  const auto least = [&](double discordant) {
    return number_text(minimum_detectable_difference(questions, discordant), 2);
  };
  return text(questions, " questions find a difference in accuracy of ", least(0.05), ", ",
              least(0.1), " or ", least(0.2),
              " with probability 0.8 (McNemar, alpha 0.05) where 5, 10 or 20 % of the answers "
              "differ");
}

}  // namespace plumb::harness
