#include "base/verdict.h"

#include <gtest/gtest.h>

namespace plumb {
namespace {

using enum VerdictKind;

std::vector<Verdict> verdicts(std::initializer_list<VerdictKind> kinds) {
  std::vector<Verdict> out;
  for (const VerdictKind kind : kinds) {
    out.emplace_back();
    out.back().kind = kind;
  }
  return out;
}

TEST(Verdict, NamesAreThePublishedOnes) {
  EXPECT_EQ(verdict_name(kPass), "PASS");
  EXPECT_EQ(verdict_name(kFail), "FAIL");
  EXPECT_EQ(verdict_name(kInconclusive), "INCONCLUSIVE");
  EXPECT_EQ(verdict_name(kNotRun), "NOT RUN");
  EXPECT_EQ(verdict_name(kIncomparable), "INCOMPARABLE");
  EXPECT_EQ(verdict_name(kInvalid), "INVALID");
}

TEST(Verdict, UnsetIsNotRunAndNeverAPass) { EXPECT_EQ(Verdict().kind, kNotRun); }

TEST(ExitCode, WorstVerdictDecides) {
  EXPECT_EQ(exit_code({}), 0);
  EXPECT_EQ(exit_code(verdicts({kPass, kNotRun})), 0);
  EXPECT_EQ(exit_code(verdicts({kPass, kInconclusive})), 3);
  EXPECT_EQ(exit_code(verdicts({kInconclusive, kIncomparable})), 7);
  EXPECT_EQ(exit_code(verdicts({kInvalid, kPass})), 7);
  EXPECT_EQ(exit_code(verdicts({kInvalid, kFail, kInconclusive})), 1);
}

TEST(ExitCode, ARequiredClaimThatDidNotRunIsInconclusive) {
  auto set = verdicts({kPass, kNotRun});
  set[1].required = true;
  EXPECT_EQ(exit_code(set), 3);
  set[1].kind = kPass;
  EXPECT_EQ(exit_code(set), 0);
}

TEST(ExitCode, LeavesOutWhatIsExcused) {
  auto set = verdicts({kFail, kInvalid, kInconclusive});
  set[0].excused = "waived until 2026-12-31: known";
  EXPECT_EQ(exit_code(set), 7);
  set[1].excused = "severity warn";
  EXPECT_EQ(exit_code(set), 3);
}

}  // namespace
}  // namespace plumb
