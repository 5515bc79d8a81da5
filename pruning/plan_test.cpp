#include "pruning/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/rng.h"

namespace plumb::pruning {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PruningPlan plan_of(int64_t block_count, std::vector<int64_t> removed) {
  return {block_count, std::move(removed), "explicit", "test"};
}

/// The message of the Error{kUsage} that `call` throws; a failure when it doesn't.
template <typename Call>
std::string usage_error(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

class PruningPlanOf : public ::testing::TestWithParam<uint64_t> {};  // parameter: seed

TEST_P(PruningPlanOf, RandomBlocksKeepsTheComplementAndReadsItsOwnText) {
  Rng rng(GetParam());
  const auto L = static_cast<int64_t>(2 + rng.below(60));
  PruningPlan plan{L, {}, "explicit", ""};
  for (int64_t block = 0; block + 1 < L; ++block)
    if (rng.below(3) == 0) plan.removed.push_back(block);
  validate(plan);

  std::vector<int64_t> all = plan.kept();
  EXPECT_EQ(static_cast<int64_t>(all.size()), L - plan.removed_count());
  all.insert(all.end(), plan.removed.begin(), plan.removed.end());
  std::sort(all.begin(), all.end());
  for (int64_t block = 0; block < L; ++block) EXPECT_EQ(all[static_cast<size_t>(block)], block);
  if (!plan.removed.empty()) {
    EXPECT_EQ(parse_block_list(plan.removed_text()), plan.removed);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PruningPlanOf, ::testing::Range<uint64_t>(0, 50));

TEST(PruningPlan, NamesItsFirstBlockOnlyWhenContiguous) {
  EXPECT_EQ(plan_of(30, {12, 13, 14}).first(), 12);
  EXPECT_EQ(plan_of(30, {12}).first(), 12);
  EXPECT_EQ(plan_of(30, {12, 14}).first(), std::nullopt);
  EXPECT_EQ(plan_of(30, {}).first(), std::nullopt);
}

TEST(PruningPlan, WritesRangesWithBothEnds) {
  EXPECT_EQ(plan_of(30, {12, 13, 14}).removed_text(), "12-14");
  EXPECT_EQ(plan_of(30, {3, 7, 8, 9}).removed_text(), "3;7-9");
  EXPECT_EQ(plan_of(30, {}).removed_text(), "");
}

TEST(PruningPlan, WithBlocksThatDoNotFitIsRefusedByName) {
  EXPECT_THAT(usage_error([] { validate(plan_of(30, {30})); }), HasSubstr("block 30"));
  EXPECT_THAT(usage_error([] { validate(plan_of(30, {-1})); }), HasSubstr("block -1"));
  EXPECT_THAT(usage_error([] { validate(plan_of(30, {4, 4})); }), HasSubstr("twice"));
  EXPECT_THAT(usage_error([] { validate(plan_of(30, {5, 4})); }), HasSubstr("after block 5"));
  EXPECT_THAT(usage_error([] { validate(plan_of(2, {0, 1})); }), HasSubstr("must stay"));
  EXPECT_THAT(usage_error([] { validate(plan_of(0, {})); }), HasSubstr("at least 1"));
}

TEST(BlockList, IsInclusiveAndMayStandInAnyOrder) {
  EXPECT_THAT(parse_block_list("3,7-9"), ElementsAre(3, 7, 8, 9));
  EXPECT_THAT(parse_block_list("7-9;3"), ElementsAre(3, 7, 8, 9));
  EXPECT_THAT(parse_block_list(" 0 , 5-5 "), ElementsAre(0, 5));
}

TEST(BlockList, WithABlockTwiceIsRefused) {
  EXPECT_THAT(usage_error([] { parse_block_list("3,2-4"); }), HasSubstr("block 3 stands twice"));
}

TEST(RangeList, IsTheUnionInAscendingOrder) {
  EXPECT_THAT(parse_range_list("0-4"), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(parse_range_list("0-9:4"), ElementsAre(0, 4, 8));
  EXPECT_THAT(parse_range_list("8,1,2,4-8"), ElementsAre(1, 2, 4, 5, 6, 7, 8));
  EXPECT_EQ(parse_range_list("0-28").size(), 29u);
}

class HostileList : public ::testing::TestWithParam<const char*> {};

TEST_P(HostileList, IsOneLineOfUsageError) {
  const std::string list = GetParam();
  for (const auto& message : {usage_error([&] { parse_block_list(list); }),
                              usage_error([&] { parse_range_list(list); })}) {
    EXPECT_THAT(message, HasSubstr("in the list '" + list + "'"));
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Lists, HostileList,
                         ::testing::Values("", " ", ",", "1,", ",1", "1,,2", "a", "1a", "-", "1-",
                                           "-1", "--1", "+1", "1--2", "1-2-3", "9-3", "1-3:0",
                                           "1:2", "0x10", "1.5", "1e3", "\t1", "0-9999999999",
                                           "0-99999999999999999999999", "18446744073709551616",
                                           "512", "0-512", "1 2", "٣"));

TEST(RangeList, OfManyLargeRangesStaysSmall) {
  std::string list = "0-511";
  for (int i = 0; i < 10000; ++i) list += ",0-511";
  EXPECT_THAT(usage_error([&] { parse_range_list(list); }), HasSubstr("too long"));
}

}  // namespace
}  // namespace plumb::pruning
