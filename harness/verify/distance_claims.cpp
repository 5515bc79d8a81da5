// Claims about the angular distances. Every test resamples whole documents.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/bootstrap.h"
#include "base/statistics/multiplicity.h"
#include "base/statistics/resample_counts.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"

namespace plumb::harness {

namespace {

/// False, with the verdict set, where there is too little to judge.
bool enough(const Measurements& m, Verdict& v) {
  if (m.profile == nullptr) {
    not_run(v, "no distances were measured", "run `plumb run`");
    return false;
  }
  const int64_t documents = m.profile->profile.before_norm.document_count();
  if (documents < kLeastDocuments) {
    not_run(v, text(documents, " documents were measured, needed at least ", kLeastDocuments),
            text("set calibration.limit to ", kLeastDocuments, " or more"));
    return false;
  }
  if (m.block_count < 8) {
    not_run(v, text("the model has ", m.block_count, " blocks, needed at least 8"),
            "take a deeper model");
    return false;
  }
  return true;
}

BootstrapOptions options_of(const Measurements& m) { return {.draws = m.draws, .seed = m.seed}; }

/// Mean over starts [begin, end) of one document's distances.
double mean_of_starts(const metrics::DistanceMatrix& d, int64_t n, int64_t begin, int64_t end,
                      int64_t document) {
  double sum = 0;
  for (int64_t l = begin; l < end; ++l) sum += d.at(n, l, document);
  return sum / static_cast<double>(end - begin);
}

/// Distances of row n by start, each resampled: [start][draw], sums over the resample's documents.
std::vector<std::vector<double>> resampled_row(const Measurements& m, int64_t n, bool after_norm) {
  const metrics::Profile& profile = m.profile->profile;
  std::vector<std::vector<double>> row;
  for (int64_t l = 0; l + n <= m.block_count; ++l) {
    const bool last = l + n == m.block_count;
    const auto& samples = profile.after_norm.at(static_cast<size_t>(n - 1));
    row.push_back(last && after_norm
                      ? resampled_sums(samples, m.draws, m.seed)
                      : resampled_sums(profile.before_norm.values(n, l), m.draws, m.seed));
  }
  return row;
}

/// Decides from the share of resamples, per n, in which something holds.
void judge_shares(Verdict& v, const std::vector<double>& shares, const std::string& what,
                  const std::string& next_step) {
  const auto worst = std::min_element(shares.begin(), shares.end());
  const auto n = static_cast<int64_t>(worst - shares.begin()) + 1;
  const auto failing = std::count_if(shares.begin(), shares.end(), [&](double share) {
    return share <= kAlpha / static_cast<double>(shares.size());
  });
  const auto holding =
      std::count_if(shares.begin(), shares.end(), [](double share) { return share >= 1 - kAlpha; });
  for (size_t i = 0; i < shares.size(); ++i)
    v.evidence.push_back({.name = "share_of_resamples",
                          .dimensions = {{"n", static_cast<int64_t>(i) + 1}},
                          .value = shares[i],
                          .unit = "1",
                          .higher_is_better = true});
  const std::string found =
      text(what, " in at least 95 % of resamples for ", holding, " of ", shares.size(),
           " values of n; least at n = ", n, " with ", number_text(100 * *worst, 3), " %");
  if (holding == static_cast<int64_t>(shares.size())) return decide(v, VerdictKind::kPass, found);
  if (failing > 0)
    return decide(v, VerdictKind::kFail, text(found, "; does not hold for ", failing), next_step);
  decide(v, VerdictKind::kInconclusive, found, "profile more documents (calibration.limit)");
}

void judge_dissimilar(const Measurements& m, Verdict& v, bool after_norm) {
  if (!enough(m, v)) return;
  std::vector<double> shares;
  for (int64_t n = 1; n <= m.block_count / 4; ++n) {
    const auto row = resampled_row(m, n, after_norm);
    const auto top = static_cast<int64_t>(std::ceil(0.1 * static_cast<double>(row.size())));
    int64_t holds = 0;
    for (size_t draw = 0; draw < row.back().size(); ++draw) {
      const double last = row.back()[draw];
      const auto above = std::count_if(row.begin(), row.end(),
                                       [&](const auto& start) { return start[draw] > last; });
      if (above < top) ++holds;
    }
    shares.push_back(static_cast<double>(holds) / static_cast<double>(m.draws));
  }
  judge_shares(v, shares, "the pair with the last block is in the top tenth of its row",
               "an exception like Phi-2's in the paper: see the last column of distances.csv");
}

}  // namespace

void judge_deep_alike(const Measurements& m, Verdict& v) {
  if (!enough(m, v)) return;
  const auto& distances = m.profile->profile.before_norm;
  std::vector<double> above, below, means;
  for (int64_t n = 1; n <= m.block_count / 4; ++n) {
    const int64_t starts = m.block_count - n;  // without l = L - n, which has the last block
    const int64_t half = starts / 2;
    std::vector<double> difference, reverse;
    for (int64_t d = 0; d < distances.document_count(); ++d) {
      difference.push_back(mean_of_starts(distances, n, 0, half, d) -
                           mean_of_starts(distances, n, starts - half, starts, d));
      reverse.push_back(-difference.back());
    }
    means.push_back(mean(difference));
    above.push_back(bootstrap_p_not_above_zero(difference, options_of(m)));
    below.push_back(bootstrap_p_not_above_zero(reverse, options_of(m)));
    v.evidence.push_back({.name = "shallow_minus_deep_distance",
                          .dimensions = {{"n", n}},
                          .value = means.back(),
                          .unit = "half turns",
                          .interval = bootstrap_mean(difference, options_of(m)),
                          .higher_is_better = true});
  }
  const auto up = holm(above), down = holm(below);
  const auto significant = [](const std::vector<double>& p) {
    return std::count_if(p.begin(), p.end(), [](double x) { return x <= kAlpha; });
  };
  const std::string found = text(
      "shallow starts are further apart by ",
      number_text(*std::min_element(means.begin(), means.end()), 3), " to ",
      number_text(*std::max_element(means.begin(), means.end()), 3), " half turns; above 0 for ",
      significant(up), " of ", up.size(), " values of n, largest adjusted p = ",
      number_text(*std::max_element(up.begin(), up.end()), 2));
  if (significant(up) == static_cast<int64_t>(up.size()))
    return decide(v, VerdictKind::kPass, found);
  if (significant(down) > 0)
    return decide(v, VerdictKind::kFail, text(found, "; below 0 for ", significant(down)),
                  "the paper's finding does not carry over to this model: see the heat map");
  decide(v, VerdictKind::kInconclusive, found, "profile more documents (calibration.limit)");
}

void judge_last_dissimilar(const Measurements& m, Verdict& v) { judge_dissimilar(m, v, false); }

void judge_last_dissimilar_after_norm(const Measurements& m, Verdict& v) {
  judge_dissimilar(m, v, true);
}

void judge_last_block_kept(const Measurements& m, Verdict& v) {
  if (!enough(m, v)) return;
  std::vector<double> shares;
  for (int64_t n = 1; n <= 3 * m.block_count / 4; ++n) {
    const auto row = resampled_row(m, n, false);
    int64_t holds = 0;
    for (size_t draw = 0; draw < row.back().size(); ++draw) {
      const double last = row.back()[draw];
      // The smallest start with the least value wins, so the last one must be strictly the least.
      if (std::any_of(row.begin(), row.end() - 1,
                      [&](const auto& start) { return start[draw] <= last; }))
        ++holds;
    }
    shares.push_back(static_cast<double>(holds) / static_cast<double>(m.draws));
  }
  judge_shares(v, shares, "l*(n) leaves the last block",
               "for this model similarity removes the last block: see plans.csv");
}

}  // namespace plumb::harness
