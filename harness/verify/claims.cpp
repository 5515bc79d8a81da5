// What is claimed, in words and in code. The words are what a reader judges the verdicts by: keep them in step.

#include "harness/verify/claims.h"

#include <algorithm>

#include "base/error.h"

namespace plumb::harness {

namespace {

const char* const kPaper = "Gromov et al., arXiv 2403.17887";

std::vector<Claim> list_claims() {
  return {
      {"residual-reconnection", "Residual reconnection",
       "Removing blocks leaves exactly the decoder of the blocks that stay: pruned in memory, "
       "written and re-read, "
       "and evaluated together with other plans give the same bits, and an identity block planted "
       "in a synthetic "
       "decoder is found and its removal changes nothing. Statistic: values that differ in any "
       "bit; tolerance 0.",
       "Invariant of the method (the residual stream is reconnected, eq. 3 of arXiv 2403.17887)",
       judge_reconnection},
      {"memory-falls", "Memory falls with every block removed",
       "Peak resident memory of a process falls monotonically with n. Mann-Kendall over n, null: "
       "no trend, exact "
       "one-sided p <= 0.05; no step may rise by more than 1 MiB. Least n: 4 configurations.",
       text(kPaper, ", sec. 5"), judge_memory_falls},
      {"memory-prediction", "Memory falls as predicted",
       "Peak resident memory falls by the bytes of the removed blocks, block bytes x n / L. "
       "Theil-Sen slope over "
       "n divided by the prediction; PASS where its whole interval lies in 0.9..1.1, FAIL where "
       "the interval lies "
       "outside of it. Least n: 4 configurations.",
       "Arithmetic of the method", judge_memory_prediction},
      {"latency-falls", "Latency falls with every block removed",
       "Median prefill time and median decode time per token both fall monotonically with n. "
       "Mann-Kendall over n, "
       "null: no trend, exact one-sided p <= 0.05 after Holm over the two; a step rises where all "
       "repetitions of "
       "the larger n are slower than all of the smaller. Least n: 4 configurations.",
       text(kPaper, ", sec. 5"), judge_latency_falls},
      {"latency-prediction", "Time of the blocks falls as predicted",
       "The time of the blocks in prefill is 1 - n / L of that of the whole model. Theil-Sen slope "
       "of the ratio "
       "over n / L; the prediction is -1. PASS where its whole interval lies in -1.15..-0.85, FAIL "
       "where the "
       "interval lies outside of it. Least n: 4 configurations with n = 0.",
       "Arithmetic of the method", judge_latency_prediction},
      {"healed-loss-continuous", "Healed loss is continuous",
       "After healing the normalised loss rises without a jump: over n / L the largest "
       "standardised "
       "second difference stays below the max-T bootstrap bound (resamples of documents, 0.05 over "
       "all points and strategies), and no two lines that meet fit better than one by BIC 6. FAIL "
       "where both are against it, INCONCLUSIVE where one is. The unhealed curve at the same n is "
       "described beside it. Least: 5 healed values of n of one strategy, 16 documents.",
       text(kPaper, ", sec. 4.2"), judge_healed_continuity},
      {"healing-gain", "Healing lowers the loss",
       "The loss of every healed plan is below that of the same plan unhealed. Paired difference "
       "by "
       "document; null: not above 0; bootstrap by document, Holm over the plans, p <= 0.05 for "
       "every one. FAIL where an interval lies below 0. Least: 16 documents.",
       text(kPaper, ", sec. 4.1, 4.2 and fig. 3"), judge_healing_gain},
      {"similarity-beats-simple-healed", "Similarity loses less than simple, healed",
       "As similarity-beats-simple with the losses of healed plans, at every healed n where the "
       "plans differ. How far simple is behind, healed and unhealed, is said beside it: the "
       "paper's "
       "two curves nearly coincide when healed, similarity's a little below.",
       text(kPaper, ", sec. 4.4 and fig. 5"), judge_similarity_beats_simple_healed},
      {"methods-compose", "Pruning and 4-bit weights compose",
       "The blocks that stay, in NF4 with double quantisation, take the product of both savings: "
       "what pruning leaves of the blocks' bytes times what NF4 leaves of the whole model's, "
       "within "
       "1 % at every healed n. What Llama-2-70B's configuration says of half of its blocks stands "
       "beside the paper's nominal 17.5 GB.",
       text(kPaper, ", sec. 5"), judge_methods_compose},
      {"deep-blocks-alike", "Deep blocks are more alike than shallow ones",
       "For every n <= L/4 the mean distance of the starts in the deeper half (without the last "
       "block) is below "
       "that of the shallower half. Difference by document; null: not above 0; bootstrap by "
       "document, Holm over "
       "n, p <= 0.05 for every n. FAIL where an interval lies below 0. Least n: 16 documents.",
       text(kPaper, ", sec. 4.3 and fig. 4"), judge_deep_alike},
      {"last-block-dissimilar", "Blocks with the last one are the most dissimilar",
       "For every n <= L/4 the distance of the pair that contains the last block, l = L - n, is in "
       "the top tenth of "
       "its row, before the final norm. Share of document resamples where it is: PASS where all "
       "are >= 0.95, FAIL "
       "where one is <= 0.05 divided by the number of n. Least n: 16 documents.",
       text(kPaper, ", sec. 4.3"), judge_last_dissimilar},
      {"last-block-dissimilar-post-norm",
       "Blocks with the last one are the most dissimilar, after the final norm",
       "As last-block-dissimilar, with the last block's output taken after the final norm. The "
       "paper does not say "
       "which of the two it measured.",
       text(kPaper, ", sec. 4.3"), judge_last_dissimilar_after_norm},
      {"last-block-kept", "The chosen block never contains the last one",
       "For every n <= 0.75 L the most similar start l*(n) is below L - n. Share of document "
       "resamples where it is: "
       "PASS where all are >= 0.95, FAIL where one is <= 0.05 divided by the number of n. Least n: "
       "16 documents.",
       text(kPaper, ", sec. 4.3; l*(n) published for four models"), judge_last_block_kept},
      {"similarity-beats-simple", "Similarity loses less than simple, unhealed",
       "For every n in 1..L/2 where the plans differ, the loss without healing is lower with "
       "similarity than with "
       "simple. Paired difference by document; null: not above 0; bootstrap by document, Holm over "
       "n, p <= 0.05 "
       "for every n. FAIL where simple is better at the same level. Least n: 16 documents.",
       text(kPaper, ", sec. 4.4"), judge_similarity_beats_simple},
      {"last-block-needed-for-loss", "The last block is needed for the loss",
       "For every n <= L/4 removing the deepest n blocks, the last one among them, costs more loss "
       "than removing the n before the last one. Paired difference by document, unhealed; null: "
       "not "
       "above 0; bootstrap by document, Holm over n, p <= 0.05 for every n. FAIL where it costs "
       "less "
       "at the same level. Least: 16 documents.",
       text(kPaper, ", sec. 5: keeping the last layer is essential for all pruning sizes"),
       judge_last_block_for_loss},
      {"last-block-needed-for-answers", "The last block is needed for answers",
       "The same plans on the same questions, n <= L/4: fewer answers are right without the last "
       "block at one n at least, and more at none. McNemar's mid-p, Holm over n, 0.05, unhealed. "
       "FAIL "
       "where more are right. Published numbers that speak against it stand beside it.",
       text(kPaper, ", sec. 5; block-removal tables of other authors, fixtures/claims"),
       judge_last_block_for_answers},
      {"published-starts", "The chosen blocks are the published ones",
       "Of a model for which l*(n) is published, l*(n) is that one or a neighbour at every n of "
       "the "
       "table. INCONCLUSIVE where the published start lies elsewhere and is as good on these "
       "documents: the 95 % interval of the paired difference of the distances holds 0. FAIL where "
       "it is "
       "not.",
       "A public evaluation script, attributed to the paper's authors by its names; "
       "fixtures/claims/published_starts.json",
       judge_published_starts},
      {"published-collapse", "MMLU collapses where the paper says",
       "Of a model of the paper's families the whole 95 % interval of f0 on MMLU, similarity's "
       "plans, "
       "lies in the paper's interval widened by 0.05 on either side, half of the step between its "
       "round "
       "numbers. FAIL where the interval lies outside. The paper's curves are healed: so is f0 "
       "where 4 or more values of n were healed; else it is of the unhealed plans, and healing "
       "moves it a little later.",
       text(kPaper, ", abstract, sec. 4.1 and fig. 2"), judge_published_collapse},
      {"accuracy-collapses", "Accuracy collapses at one depth",
       "Over the fraction of blocks removed, accuracy falls at one place f0 and not block by "
       "block: "
       "a step or a logistic fits better than a line by BIC 6, with f0 inside of the range in more "
       "than 95 % of resamples of whole questions. FAIL where the whole interval of the logistic's "
       "width is above 0.1, so that the fall takes 44 % of the blocks. Each task by its first "
       "metric, similarity's plans, unhealed; the paper's is MMLU, healed. NOT RUN where the whole "
       "model is not above chance (one-sided exact binomial, 0.05). Least: 5 values of n.",
       text(kPaper, ", sec. 4.1 and fig. 2"), judge_accuracy_collapses},
      {"accuracy-flat-before-collapse", "Accuracy is flat before the collapse",
       "At every n before the collapse, up to four widths below the lower end of f0, accuracy is "
       "no "
       "worse than the whole model's by 0.02: non-inferiority on the same questions by Tango's "
       "score, one-sided 0.05 at every n. FAIL where at one n the whole 95 % interval of the loss "
       "is above 0.02 and McNemar's p after Holm <= 0.05. At least the smallest n is judged; NOT "
       "RUN without a collapse.",
       text(kPaper, ", sec. 4.1 and fig. 2"), judge_flat_before_collapse},
      {"healed-accuracy-collapses", "Accuracy collapses at one depth, healed",
       "As accuracy-collapses, of the healed plans on the same questions, which the paper's curves "
       "are of. The whole model, of which nothing was trained, is the point at 0. Least: 4 healed "
       "values of n.",
       text(kPaper, ", sec. 4.1 and fig. 2"), judge_healed_accuracy_collapses},
      {"healed-accuracy-flat-before-collapse", "Accuracy is flat before the collapse, healed",
       "As accuracy-flat-before-collapse, of the healed plans against the whole model.",
       text(kPaper, ", sec. 4.1 and fig. 2"), judge_healed_flat_before_collapse},
      {"accuracy-falls", "Accuracy falls as blocks are removed, and never rises",
       "Mann-Kendall of accuracy over n, null: no trend, exact one-sided p <= 0.05; and the "
       "isotonic "
       "likelihood-ratio test that accuracy never rises, null drawn by whole questions, is not "
       "rejected at 0.05 after Holm over the tasks. FAIL where it is rejected.",
       text(kPaper, ", fig. 2"), judge_accuracy_falls},
      {"similarity-answers-better", "Similarity answers better than simple, unhealed",
       "For n in 1..L/2 where the plans differ, similarity answers more of the same questions "
       "right "
       "at one n at least, and simple at none: McNemar's mid-p, Holm over n, 0.05. FAIL where "
       "simple "
       "does.",
       text(kPaper, ", sec. 4.4"), judge_similarity_answers_better},
  };
}

}  // namespace

const std::vector<Claim>& claims() {
  static const std::vector<Claim> all = list_claims();
  return all;
}

std::vector<std::string> claim_names() {
  std::vector<std::string> names;
  for (const Claim& claim : claims()) names.push_back(claim.name);
  return names;
}

std::vector<Verdict> judge_claims(const Measurements& measurements,
                                  const std::vector<std::string>& required) {
  std::vector<Verdict> verdicts;
  for (const Claim& claim : claims()) {
    Verdict verdict;
    verdict.claim = claim.name;
    verdict.title = claim.title;
    verdict.statement = claim.statement;
    verdict.source = claim.source;
    verdict.required = std::find(required.begin(), required.end(), claim.name) != required.end();
    try {
      claim.judge(measurements, verdict);
    } catch (const Error& error) {
      decide(verdict, VerdictKind::kInvalid, error.what(), "report this: a claim must not break");
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

void decide(Verdict& v, VerdictKind kind, std::string reason, std::string next_step) {
  v.kind = kind;
  v.reason = std::move(reason);
  v.next_step = std::move(next_step);
}

void not_run(Verdict& v, std::string missing, std::string next_step) {
  decide(v, VerdictKind::kNotRun, std::move(missing), std::move(next_step));
}

}  // namespace plumb::harness
