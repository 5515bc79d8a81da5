#include "base/statistics/averages.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/statistics/golden_statistics.h"
#include "base/testing.h"

namespace plumb {
namespace {

using testing::error_of;
using testing::golden_statistics;

void expect_same(const std::optional<double>& found, const nlohmann::ordered_json& entry,
                 const char* key) {
  EXPECT_EQ(found.has_value(), entry.contains(key)) << key << " of " << entry.dump();
  if (!found || !entry.contains(key)) return;
  EXPECT_NEAR(*found, entry[key].get<double>(), 1e-14) << key;
}

// Sums over answers one by one in numpy and in lm-eval's formula, over counts here: both to
// rounding, and far within the 1e-9 that compatible results need.
TEST(Averages, EqualNumpysAndLmEvals) {
  for (const auto& entry : golden_statistics()["averages"]) {
    std::vector<GroupCount> groups;
    for (size_t i = 0; i < entry["right"].size(); ++i)
      groups.push_back({entry["right"][i], entry["questions"][i]});
    const Averages found = averages(groups);
    EXPECT_NEAR(found.micro, entry["micro"].get<double>(), 1e-15);
    EXPECT_NEAR(found.macro, entry["macro"].get<double>(), 1e-15);
    expect_same(found.micro_error, entry, "micro_error");
    expect_same(found.pooled_error, entry, "pooled_error");
    expect_same(found.macro_error, entry, "macro_error");
    expect_same(found.macro_error_over_groups, entry, "over_groups");
  }
}

TEST(Averages, OfEqualGroupsAgree) {
  const std::vector<GroupCount> groups = {{30, 100}, {30, 100}, {30, 100}};
  const Averages found = averages(groups);
  EXPECT_DOUBLE_EQ(found.micro, 0.3);
  EXPECT_DOUBLE_EQ(found.macro, 0.3);
  EXPECT_DOUBLE_EQ(*found.macro_error, *found.pooled_error);
  EXPECT_LT(*found.micro_error, *found.pooled_error);  // 299 degrees of freedom for 297
  EXPECT_EQ(*found.macro_error_over_groups, 0);
}

TEST(Averages, DifferWhereGroupsDiffer) {
  const std::vector<GroupCount> groups = {{90, 100}, {100, 1000}};
  const Averages found = averages(groups);
  EXPECT_DOUBLE_EQ(found.micro, 190.0 / 1100);
  EXPECT_DOUBLE_EQ(found.macro, 0.5);
}

TEST(Averages, RefuseNoGroupsAndGroupsWithoutQuestions) {
  EXPECT_EQ(error_of([] { averages({}); }).kind(), ErrorKind::kInvariant);
  const std::vector<GroupCount> empty = {{0, 0}}, more = {{3, 2}};
  EXPECT_EQ(error_of([&] { averages(empty); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] { averages(more); }).kind(), ErrorKind::kInvariant);
}

}  // namespace
}  // namespace plumb
