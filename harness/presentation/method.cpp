// How it was measured, for the report: words, and formulas in a line of their own.

#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

using reports::Chapter;

Chapter removal() {
  return {"Removing blocks",
          {{"A block l of a decoder adds to the state x that passes through it. Without the blocks "
            "l to l + n - 1 the "
            "state that would have entered the first of them enters block l + n; nothing else is "
            "changed, and "
            "nothing is trained."},
           {"x⁽ˡ⁺¹⁾ = x⁽ˡ⁾ + f⁽ˡ⁾(x⁽ˡ⁾),   l = 0 … L − 1", true},
           {"Similarity takes the n neighbours over which the state turns least; simple takes the "
            "deepest blocks but "
            "for the last one, L − 1 − n to L − 2."},
           {"l*(n) = the smallest l in 0 … L − n with the least d(n, l)", true}}};
}

Chapter distance(const Run& run) {
  return {"Angular distance",
          {{text("At the last token of each of ", run.profile.text.documents.size(),
                 " documents of ", run.profile.text.token_count,
                 " tokens, the angle between the inputs of blocks l and l + n in half turns: 0 "
                 "is the same direction, 1/2 orthogonal. d(n, l) is the mean over the documents. "
                 "The last state is taken before the final norm; "
                 "after it apart, as the paper does not say which it took.")},
           {"d(n, l) = mean of (1/π) arccos( ⟨x⁽ˡ⁾, x⁽ˡ⁺ⁿ⁾⟩ / (‖x⁽ˡ⁾‖ ‖x⁽ˡ⁺ⁿ⁾‖) )", true}}};
}

Chapter loss(const Run& run) {
  return {"Loss",
          {{text("Minus the logarithm of the probability of the true next token, at ",
                 run.sweep.losses.positions_per_document, " positions of each of ",
                 run.sweep.text.documents.size(),
                 " documents that no plan was chosen on; a document's mean, then the mean over "
                 "documents. Normalised, it "
                 "is divided by that of a uniform guess among V = ",
                 run.sweep.vocabulary_size, " tokens.")},
           {"loss = mean of −ln p(next token),   normalised = loss / ln V", true},
           {"KL compares the distributions of the whole model p and a pruned one q at the same "
            "positions."},
           {"KL(p‖q) = Σ p ln(p / q) over the vocabulary", true}}};
}

Chapter accuracy() {
  Chapter chapter{"Accuracy", {}};
  chapter.paragraphs.push_back(
      {"The share of questions whose right choice has the highest score; ties go to the first. All "
       "plans answer the same "
       "questions, so differences are paired. Where accuracy collapses is the centre f0 of a "
       "logistic over the fraction of blocks "
       "removed, weighted by binomial variances; a collapse is shown where it or a step is better "
       "than a line by "
       "BIC 6."});
  chapter.paragraphs.push_back({"a(f) = c + (A − c) / (1 + exp((f − f0) / w)),   f = n / L", true});
  return chapter;
}

Chapter healing() {
  return {"Healing",
          {{"A low-rank adapter beside frozen weights in 4 bits (QLoRA), trained to predict the "
            "next token; then added to "
            "the exact weights, and that model is measured on the documents, positions and "
            "questions of the sweep. Its "
            "gain is paired by document."},
           {"W′ = W + (α / r) B A,   A: r × in,   B: out × r, at first 0", true}}};
}

Chapter statistics(const Run& run) {
  return {"Intervals and tests",
          {{text("Intervals are 95 %. Means over documents: BCa, ", run.experiment.draws,
                 " resamples of whole documents, seed ", run.experiment.seed,
                 ". Accuracies: Wilson's, exact where they are few, clustered where questions "
                 "share a passage. Paired "
                 "accuracies: Tango's interval, McNemar's mid-p. A band over a whole curve is wide "
                 "enough for all its points at "
                 "once:")},
           {"mean ± t* · standard error,   t* = 95 % quantile of the largest |resampled mean − "
            "mean| / standard error over "
            "the points",
            true},
           {"Tests of several n are corrected by Holm. A claim passes where the data show it, "
            "fails where they show the "
            "contrary, and is inconclusive otherwise; what could not be measured is not run, and "
            "never passes. What each claim's "
            "statistic, null hypothesis and tolerance are stands with it."}}};
}

Chapter cost() {
  return {"Cost",
          {{"Each configuration runs in a process of its own that loads only the blocks that stay; "
            "times are medians over "
            "repetitions after a warm-up. Loading and tokenising are outside of the times. What "
            "the removed blocks weigh and take "
            "predicts what they save:"},
           {"blocks' bytes and time after n removals = (1 − n / L) of the whole model's", true}}};
}

}  // namespace

std::vector<reports::Chapter> method(const Run& run) {
  std::vector<Chapter> out = {removal(), distance(run), loss(run)};
  if (!run.accuracy.empty()) out.push_back(accuracy());
  if (run.heal) out.push_back(healing());
  if (run.cost) out.push_back(cost());
  out.push_back(statistics(run));
  return out;
}

}  // namespace plumb::harness
