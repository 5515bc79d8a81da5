#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/verify/claims.h"

/// For tests of claims alone.
namespace plumb::harness::testing {

using Judge = void (*)(const Measurements&, Verdict&);

/// What a claim says of `m`: with a reason, and with a next step unless it passes.
inline Verdict verdict_of(Judge judge, const Measurements& m) {
  Verdict verdict;
  judge(m, verdict);
  EXPECT_NE(verdict.reason, "");
  EXPECT_EQ(verdict.next_step.empty(), verdict.kind == VerdictKind::kPass) << verdict.reason;
  return verdict;
}

}  // namespace plumb::harness::testing

/// A macro, so that a failure names the line of the test.
#define EXPECT_VERDICT(verdict, expected, said)            \
  do {                                                     \
    const Verdict found = (verdict);                       \
    EXPECT_EQ(found.kind, expected) << found.reason;       \
    EXPECT_THAT(found.reason, ::testing::HasSubstr(said)); \
  } while (false)
