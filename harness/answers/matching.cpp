#include "harness/answers/matching.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace plumb::harness {
namespace {

/// Numbers of the questions with the same hashes, by doc_id.
std::unordered_map<std::string, std::vector<size_t>> by_hash(const TaskLog& log) {
  std::unordered_map<std::string, std::vector<size_t>> groups;
  for (size_t q = 0; q < log.questions.size(); ++q)
    groups[log.questions[q].doc_hash + log.questions[q].target_hash].push_back(q);
  for (auto& [hashes, numbers] : groups)
    std::ranges::sort(numbers, {}, [&](size_t q) { return log.questions[q].doc_id; });
  return groups;
}

/// Logs number clusters as they come, so that a name in one stands for a name in the other.
class SameClusters {
 public:
  /// Whether either name has stood for another one before.
  bool contradict(const std::string& a, const std::string& b) {
    return to_b_.try_emplace(a, b).first->second != b || to_a_.try_emplace(b, a).first->second != a;
  }

 private:
  std::unordered_map<std::string, std::string> to_b_, to_a_;
};

/// Clusters as numbers; where each question has its own, or one none, or all the same: none.
void number_clusters(const std::vector<std::string>& names, SharedAnswers& out) {
  std::unordered_map<std::string, int64_t> numbers;
  for (const std::string& name : names) {
    if (name.empty()) return;
    numbers.try_emplace(name, static_cast<int64_t>(numbers.size()));
  }
  if (numbers.size() < 2 || numbers.size() == names.size()) return;
  for (const std::string& name : names) out.cluster.push_back(numbers.at(name));
  out.clusters = static_cast<int64_t>(numbers.size());
}

template <typename T>
void take(const std::vector<T>& from, size_t at, std::vector<T>& into) {
  if (!from.empty()) into.push_back(from[at]);
}

template <typename T>
void keep_if_both(std::vector<T>& a, std::vector<T>& b) {
  if (a.size() == b.size()) return;
  a.clear();
  b.clear();
}

}  // namespace

Matching match_questions(const TaskLog& a, const TaskLog& b) {
  Matching out;
  out.other.assign(a.questions.size(), -1);
  const auto in_a = by_hash(a), in_b = by_hash(b);
  std::unordered_set<std::string> documents;
  for (const LoggedQuestion& question : b.questions) documents.insert(question.doc_hash);
  for (const LoggedQuestion& question : a.questions)
    out.same_documents = out.same_documents || documents.contains(question.doc_hash);
  for (const auto& [hashes, numbers] : in_a) {
    const auto found = in_b.find(hashes);
    if (found == in_b.end()) continue;
    for (size_t k = 0; k < std::min(numbers.size(), found->second.size()); ++k)
      out.other[numbers[k]] = static_cast<int64_t>(found->second[k]);
  }
  SameClusters clusters;
  for (size_t q = 0; q < out.other.size(); ++q) {
    if (out.other[q] < 0) continue;
    const LoggedQuestion& first = a.questions[q];
    const LoggedQuestion& second = b.questions[static_cast<size_t>(out.other[q])];
    ++out.matched;
    if (first.prompt_hash != second.prompt_hash && ++out.other_prompts == 1)
      out.first_other_prompt = first.doc_id;
    if (!first.cluster.empty() && !second.cluster.empty() &&
        clusters.contradict(first.cluster, second.cluster))
      ++out.other_clusters;
  }
  return out;
}

SharedAnswers shared_answers(const TaskLog& a, const LoggedPlan& plan_a, const TaskLog& b,
                             const LoggedPlan& plan_b, const Matching& matching) {
  std::vector<int64_t> place_in_b(b.questions.size(), -1);
  for (size_t i = 0; i < plan_b.questions.size(); ++i)
    place_in_b[plan_b.questions[i]] = static_cast<int64_t>(i);
  SharedAnswers out;
  std::vector<std::string> clusters;
  for (size_t i = 0; i < plan_a.questions.size(); ++i) {
    const size_t q = plan_a.questions[i];
    const int64_t other = matching.other[q];
    const int64_t place = other < 0 ? -1 : place_in_b[static_cast<size_t>(other)];
    if (place < 0) {
      ++out.only_in_a;
      continue;
    }
    const auto j = static_cast<size_t>(place);
    out.right_a.push_back(plan_a.right[i]);
    out.right_b.push_back(plan_b.right[j]);
    take(plan_a.right_normalised, i, out.normalised_a);
    take(plan_b.right_normalised, j, out.normalised_b);
    take(plan_a.right_log_share, i, out.log_share_a);
    take(plan_b.right_log_share, j, out.log_share_b);
    const std::string& own = a.questions[q].cluster;
    clusters.push_back(own.empty() ? b.questions[static_cast<size_t>(other)].cluster : own);
  }
  keep_if_both(out.normalised_a, out.normalised_b);
  keep_if_both(out.log_share_a, out.log_share_b);
  number_clusters(clusters, out);
  out.only_in_b = static_cast<int64_t>(plan_b.questions.size() - out.right_b.size());
  return out;
}

}  // namespace plumb::harness
