#include "harness/gate/baseline_file.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/corpus_testing.h"
#include "base/testing.h"
#include "harness/gate/fuzz_target.h"
#include "harness/gate/gate_testing.h"
#include "reports/demonstration.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using testing::add_answers;
using testing::add_losses;
using testing::add_times;
using testing::bare_snapshot;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

GateSnapshot whole(double loss = 3) {
  GateSnapshot out = bare_snapshot("runs-a");
  add_losses(out, {loss, 0.1 + 0.2, 1e-300});
  add_times(out, {{10.5, 11.25}, {12}});
  add_answers(out, {1, 0, 1});
  out.answers->tasks[0].plans[0].right_normalised = {0, 0, 1};
  out.answers->tasks[0].questions[1].cluster = "a passage";
  out.estimates = {{"f0", "own", "similarity", 0.4, {0.3, 0.5, 0.95, "bootstrap"}}};
  out.absent["kl_nats"] = reports::kHostile;
  out.model["name"] = reports::kHostile;
  return out;
}

TEST(BaselineFile, ReadsBackToTheSameBytes) {
  const std::string bytes = baseline_text(whole());
  const GateSnapshot back = parse_baseline(bytes);
  EXPECT_EQ(baseline_text(back), bytes);
  EXPECT_EQ(back.documents[0].values, whole().documents[0].values);  // to the last bit
  EXPECT_EQ(back.repeated[0].runs, whole().repeated[0].runs);
  EXPECT_EQ(back.answers->tasks[0].plans[0].right, (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_EQ(back.answers->tasks[0].questions[1].cluster, "a passage");
}

TEST(BaselineFile, HasSortedKeysAndALineForEachSeriesAndQuestion) {
  const std::string bytes = baseline_text(whole());
  const auto sorted = nlohmann::json::parse(bytes);  // std::map
  const auto written = nlohmann::ordered_json::parse(bytes);
  std::vector<std::string> keys, in_order;
  for (const auto& [key, value] : sorted.items()) keys.push_back(key);
  for (const auto& [key, value] : written.items()) in_order.push_back(key);
  EXPECT_EQ(keys, in_order);
  // One answer turned is one line of a diff.
  GateSnapshot turned = whole();
  turned.answers->tasks[0].plans[0].right[1] = 1;
  const std::string other = baseline_text(turned);
  int differing = 0;
  std::istringstream a(bytes), b(other);
  for (std::string x, y; std::getline(a, x) && std::getline(b, y);) differing += x != y;
  EXPECT_EQ(differing, 1);
}

TEST(BaselineFile, SaysWhatChanges) {
  GateSnapshot after = whole(3.5);
  after.system["CPU"] = "another";
  after.absent.clear();
  after.repeated.clear();
  after.answers->tasks[0].plans[0].right = {1, 1, 1};
  EXPECT_THAT(baseline_changes(whole(), after),
              ElementsAre("system CPU: a processor -> another",
                          HasSubstr("decode_ms_per_token simple:0: 11.25 -> gone"),
                          HasSubstr("loss_nats similarity:0: 1.1 -> 1.26"),
                          HasSubstr("own acc simple:0: 0.66667 -> 1 (+50 %)")));
  EXPECT_TRUE(baseline_changes(whole(), whole()).empty());
}

TEST(BaselineFile, RefusesEveryBeginning) {
  const std::string bytes = baseline_text(whole());
  for (size_t size = 0; size + 1 < bytes.size(); size += 7)
    EXPECT_EQ(error_of([&] { parse_baseline(bytes.substr(0, size)); }).kind(), ErrorKind::kInput);
}

TEST(BaselineFile, NamesWhatIsWrong) {
  const auto error = [](auto change) {
    auto json = nlohmann::ordered_json::parse(baseline_text(whole()));
    change(json);
    return error_of([&] { parse_baseline(json.dump()); });
  };
  using Json = nlohmann::ordered_json;
  const auto expect = [&](auto change, const char* what) {
    const Error found = error(change);
    EXPECT_EQ(found.kind(), ErrorKind::kInput) << what;
    EXPECT_THAT(found.what(), HasSubstr(what));
  };
  expect([](Json& j) { j["schema_version"] = 2; }, "this release reads 1.x");
  expect([](Json& j) { j.erase("documents"); }, "documents: is missing");
  expect([](Json& j) { j["documents"][0]["values"][1] = nullptr; }, "documents[0].values[1]");
  expect([](Json& j) { j["documents"][0]["values"].erase(0); }, "2 values of 3 documents");
  expect([](Json& j) { j["documents"][0]["documents"] = {5, 3, 9}; }, "not in rising order");
  expect([](Json& j) { j["repetitions"][0]["runs"][0][0] = 0; }, "repetitions[0].runs[0][0]");
  expect([](Json& j) { j["answers"][0]["plans"][0]["right"] = "11"; }, "2 answers to 3 questions");
  expect([](Json& j) { j["answers"][0]["plans"][0]["right"] = "12x"; }, "neither 0 nor 1");
  expect([](Json& j) { j["answers"][0]["plans"][0]["questions"][0] = 3; }, "question 3 of 3");
  expect([](Json& j) { j["answers"][0]["questions"][1] = j["answers"][0]["questions"][0]; },
         "stands twice");
}

TEST(BaselineFile, TakesANewerMinorVersion) {
  auto json = nlohmann::ordered_json::parse(baseline_text(whole()));
  json["schema_minor"] = 4;
  json["unheard_of"] = {1, 2};
  EXPECT_EQ(baseline_text(parse_baseline(json.dump())), baseline_text(whole()));
}

TEST(BaselineCorpus, IsReadOrRefusedWhateverChanges) {
  const auto seeds = plumb::testing::corpus(PLUMB_SOURCE_DIR "/fixtures", "baseline");
  ASSERT_GE(seeds.size(), 6u);
  plumb::testing::expect_read_or_refused(seeds, 2000, 6, fuzz::baseline);
}

TEST(BaselineCorpus, HasAFileThatIsSound) {
  EXPECT_NO_THROW(parse_baseline(read_file(PLUMB_SOURCE_DIR "/fixtures/fuzz/baseline/sound")));
}

TEST(JoinedRuns, KnowWhatRepetitionsDifferBy) {
  GateSnapshot a = bare_snapshot("a"), b = bare_snapshot("b");
  add_losses(a, {3, 4});
  add_losses(b, {3, 4.5});
  add_times(a, {{10, 11}});
  add_times(b, {{12, 13}});
  const GateSnapshot both = joined({a, b});
  EXPECT_EQ(both.documents[0].noise_floor, 0.25);
  EXPECT_EQ(both.repeated[0].runs.size(), 2u);
  EXPECT_FALSE(joined({a}).documents[0].noise_floor.has_value());
  // A run and its copy would know no noise; equal sizes are no reason to think so.
  GateSnapshot copy = a;
  add_times(a, {{1000}}, "peak_resident_bytes");
  add_times(b, {{1000}}, "peak_resident_bytes");
  EXPECT_NO_THROW(joined({a, b}));
  const Error twice = error_of([&] { joined({a, b, copy}); });
  EXPECT_EQ(twice.kind(), ErrorKind::kUsage);
  EXPECT_THAT(twice.what(), HasSubstr("has the very times of 'a'"));
  b.system["CPU"] = "another";
  const Error error = error_of([&] { joined({a, b}); });
  EXPECT_EQ(error.kind(), ErrorKind::kIncomparable);
  EXPECT_THAT(error.what(), HasSubstr("differ in system CPU"));
}

}  // namespace
}  // namespace plumb::harness
