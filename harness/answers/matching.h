#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/answers/answer_log.h"

namespace plumb::harness {

/// Which questions of two logs of a task are the same: those of one doc_hash and target_hash, the
/// k-th by doc_id with the k-th where a file holds a question several times.
struct Matching {
  std::vector<int64_t> other;  ///< for each question of A its number in B, or -1
  int64_t matched = 0;
  int64_t other_prompts = 0;        ///< of the matched, those asked with another prompt
  int64_t other_clusters = 0;       ///< of the matched, those that the logs cluster otherwise
  int64_t first_other_prompt = -1;  ///< doc_id in A
  bool same_documents = false;      ///< whether any doc_hash is in both
};
Matching match_questions(const TaskLog& a, const TaskLog& b);

/// Answers of two plans to the questions that both answered, in the order of A's log.
struct SharedAnswers {
  std::vector<uint8_t> right_a, right_b;
  std::vector<uint8_t> normalised_a, normalised_b;  ///< none where one plan has none
  std::vector<double> log_share_a, log_share_b;     ///< none where one plan has none
  std::vector<int64_t>
      cluster;  ///< numbers; none where a question has no cluster or all have one of their own
  int64_t clusters = 0;
  int64_t only_in_a = 0, only_in_b = 0;
};
SharedAnswers shared_answers(const TaskLog& a, const LoggedPlan& plan_a, const TaskLog& b,
                             const LoggedPlan& plan_b, const Matching& matching);

}  // namespace plumb::harness
