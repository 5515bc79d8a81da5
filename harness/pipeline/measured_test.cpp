#include "harness/pipeline/measured.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/csv.h"
#include "base/testing.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "harness/pipeline/generation_memory.h"

namespace plumb::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;
using plumb::testing::error_of;

/// What a child prints: a prompt and 40 tokens in `base_ms` each, three times.
Json child(double base_ms = 10, int64_t n = 0) {
  constexpr int kTokens = 40;
  Json out = {{"removed", n == 0 ? "" : text(29 - n, "-28")},
              {"n", n},
              {"block_count", 30},
              {"context", 8},
              {"batch", 1},
              {"tokens", kTokens},
              {"repetitions", 3},
              {"load_ms", 5.0},
              {"first_token_ms", {20.0, 20.1, 20.2}},
              {"again_ms", {20.0, 20.1, 20.2}},
              {"blocks_ms", {base_ms, base_ms, base_ms}},
              {"repeats", true},
              {"warm_up_rounds", 3},
              {"warm_up_spread", 0.01},
              {"warm_spread", 0.05}};
  out["token_ms"] = std::vector<std::vector<double>>(3, std::vector<double>(kTokens - 1, base_ms));
  const std::vector<std::vector<int32_t>> written = {std::vector<int32_t>(kTokens, 4)};
  out["written"] = written, out["written_untimed"] = written;
  out["memory"] = {{"baseline_bytes", 100},
                   {"loaded_bytes", 900},
                   {"peak_bytes", 1000},
                   {"peak_excludes_loading", true},
                   {"weight_bytes", 700},
                   {"predicted_weight_bytes", 700},
                   {"block_bytes", 600},
                   {"predicted_cache_bytes", 50},
                   {"predicted_activation_bytes", 30},
                   {"predicted_peak_bytes", 990}};
  out["machine"] = {{"seconds", 1.0}, {"doubts", Json::array()}, {"unknown", Json::array()}};
  out["energy"] = {{"joules", nullptr}, {"reason", "nothing counts"}};
  return out;
}

using Change = std::function<void(Json& child, int64_t round, bool second_arm)>;

/// One configuration, three rounds, an A/A arm; `change` is applied to each child.
MeasureResult result_of(const Change& change = {}, int64_t rounds = 3) {
  MeasureResult r;
  r.rounds = rounds;
  r.measured.resize(1);
  r.measured[0].configuration = {{}, 8, 1};
  for (int64_t round = 0; round < rounds; ++round)
    for (const bool second : {false, true}) {
      Json one = child();
      if (change) change(one, round, second);
      add_child(r.measured[0], one, round, second);
    }
  return r;
}

void expect_invalid(const MeasureResult& r, const std::string& reason) {
  const Verdict v = timings_valid(r);
  EXPECT_EQ(v.kind, VerdictKind::kInvalid) << v.reason;
  EXPECT_THAT(v.reason, HasSubstr(reason));
  EXPECT_EQ(exit_code({v}), 7);
  EXPECT_EQ(measured_json(r, v).at("verdict").at("result"), "INVALID");
}

TEST(TimingsValid, AreValidWhereNothingSpeaksAgainstThem) {
  const MeasureResult r = result_of();
  const Verdict v = timings_valid(r);
  EXPECT_EQ(v.kind, VerdictKind::kPass) << v.reason;
  EXPECT_EQ(noise_floor(r), 0.0);
  EXPECT_EQ(measured_json(r, v).at("verdict").at("result"), "VALID");
}

TEST(TimingsValid, AreInvalidOnAMachineThatCannotTime) {
  MeasureResult r = result_of();
  r.standing.reasons = {"frequency scaling: the governor is 'powersave'"};
  expect_invalid(r, "'powersave'");
}

TEST(TimingsValid, AreInvalidWhereAProcessSawAnother) {
  expect_invalid(result_of([](Json& c, int64_t round, bool) {
                   if (round == 1) c["machine"]["doubts"] = {"other load: 12 %"};
                 }),
                 "other load: 12 %");
}

TEST(TimingsValid, NameTheWorstOfEachKindOfReason) {
  const Verdict v = timings_valid(result_of([](Json& c, int64_t round, bool second) {
    c["machine"]["doubts"] = {text("other load: ", 10 + 2 * round + (second ? 1 : 0), " %")};
    if (round == 1) c["machine"]["doubts"].push_back("thermal throttling");
  }));
  EXPECT_THAT(v.reason, HasSubstr("other load: 15 % (the worst of 6); thermal throttling"));
  EXPECT_THAT(v.reason, Not(HasSubstr("14 %")));
}

TEST(TimingsValid, AreInvalidOfTooFewSamples) {
  expect_invalid(result_of({}, 1), "too few samples: 3");
}

TEST(TimingsValid, AreInvalidWhereAProcessWasNotWarm) {
  expect_invalid(result_of([](Json& c, int64_t, bool) { c["warm_up_spread"] = 0.06; }), "not warm");
}

TEST(TimingsValid, AreInvalidWhereTheSameConfigurationDiffersByMoreThanTheTolerance) {
  const auto slower = [](Json& c, int64_t round, bool second) {
    if (round == 2 && second) c = child(10.8);
  };
  MeasureResult r = result_of(slower);
  EXPECT_NEAR(*noise_floor(r), 1 - 10 / 10.8, 1e-12);
  expect_invalid(r, "differ by 7.41 %");
  r.tolerance = 0.1;
  EXPECT_EQ(timings_valid(r).kind, VerdictKind::kPass);
}

TEST(TimingsValid, AreInvalidWithoutASecondArm) {
  MeasureResult r = result_of();
  std::erase_if(r.measured[0].samples, [](const Sample& s) { return s.second_arm; });
  EXPECT_FALSE(noise_floor(r).has_value());
  expect_invalid(r, "no A/A run");
}

TEST(TimingsValid, NameWhatCannotBeSeenHereWithoutAVerdictOfIt) {
  MeasureResult r = result_of();
  r.standing.unknown = {"turbo"};
  const Verdict v = timings_valid(r);
  EXPECT_EQ(v.kind, VerdictKind::kPass);
  EXPECT_THAT(v.reason, HasSubstr("unknown here: turbo"));
}

TEST(Audits, FailWhereTimedOutputsAreOthers) {
  expect_invalid(result_of([](Json& c, int64_t round, bool) {
                   if (round == 1) c["written"][0][7] = 5;
                 }),
                 "timed outputs are those of the accuracy run");
  expect_invalid(result_of([](Json& c, int64_t, bool) { c["repeats"] = false; }),
                 "timed outputs are those of the accuracy run");
}

TEST(Audits, FailWhereTokensAreMissing) {
  expect_invalid(result_of([](Json& c, int64_t, bool) { c["token_ms"][1].erase(3); }),
                 "tokens are as many as were timed");
  expect_invalid(result_of([](Json& c, int64_t, bool) {
                   c["written"][0].erase(3), c["written_untimed"][0].erase(3);
                 }),
                 "tokens are as many as were timed");
}

TEST(Audits, FailWhereARepeatedPromptIsFaster) {
  expect_invalid(result_of([](Json& c, int64_t, bool) {
                   c["again_ms"] = {17.9, 17.9, 17.9};
                 }),
                 "a repeated prompt is no faster");
  const auto slightly = [](Json& c, int64_t, bool) { c["again_ms"] = {18.2, 18.2, 18.2}; };
  EXPECT_TRUE(audits(result_of(slightly))[2].holds);
}

TEST(MeasuredVerdicts, HoldWeightsToTheByteAndThePeakToFivePercent) {
  const auto kinds = [](const MeasureResult& r) {
    const auto v = measured_verdicts(r);
    return std::pair(v[0].kind, v[1].kind);
  };
  using enum VerdictKind;
  EXPECT_EQ(kinds(result_of()), std::pair(kPass, kPass));
  EXPECT_EQ(kinds(result_of([](Json& c, int64_t, bool) { c["memory"]["weight_bytes"] = 701; })),
            std::pair(kFail, kPass));
  EXPECT_EQ(kinds(result_of([](Json& c, int64_t, bool) { c["memory"]["peak_bytes"] = 1041; })),
            std::pair(kPass, kFail));
}

TEST(MeasuredVerdicts, JudgeTheCurveOverN) {
  MeasureResult r;
  r.rounds = 1;
  for (const int64_t n : {0, 6, 12, 18, 24}) {
    r.measured.emplace_back();
    for (int64_t block = 29 - n; block < 29; ++block)
      r.measured.back().configuration.removed.push_back(block);
    r.measured.back().configuration.context = 8;
    Json one = child(10.0 * static_cast<double>(30 - n) / 30, n);
    one["memory"]["block_bytes"] = (30 - n) << 20;
    one["memory"]["peak_bytes"] = (40 - n) << 20;
    add_child(r.measured.back(), one, 0, false);
  }
  const auto verdicts = measured_verdicts(r);
  ASSERT_EQ(verdicts.size(), 6u);
  EXPECT_EQ(verdicts[2].claim, "memory-falls");
  EXPECT_EQ(verdicts[2].kind, VerdictKind::kPass) << verdicts[2].reason;
  EXPECT_EQ(verdicts[3].kind, VerdictKind::kPass) << verdicts[3].reason;
  EXPECT_EQ(verdicts[5].claim, "latency-prediction");
  EXPECT_EQ(verdicts[5].kind, VerdictKind::kPass) << verdicts[5].reason;
}

TEST(MeasuredFiles, HoldEverySampleAndAReasonInPlaceOfAPercentile) {
  const MeasureResult r = result_of();
  const auto files = measured_files(r);
  ASSERT_EQ(files[1].first, "samples.csv");
  // Per child: three times to the first token, again, blocks, and 39 between tokens.
  EXPECT_EQ(parse_csv(files[1].second).size(), 1u + 6 * (3 * 3 + 3 * 39));
  const auto rows = parse_csv(files[0].second);
  const auto column = [&](const std::string& name) {
    return rows[1][static_cast<size_t>(std::find(rows[0].begin(), rows[0].end(), name) -
                                       rows[0].begin())];
  };
  EXPECT_EQ(column("between_tokens_samples"), "351");
  EXPECT_EQ(column("between_tokens_p99_ms"), "10");
  EXPECT_EQ(column("joules"), "");
  const MeasureResult few = result_of({}, 2);
  EXPECT_THAT(parse_csv(measured_files(few)[0].second)[1][8], HasSubstr("at least 299"));
}

TEST(MeasuredRecords, SayWhyAValueIsAbsent) {
  for (const Record& record : measured_records(result_of({}, 1)))
    EXPECT_EQ(std::holds_alternative<std::monostate>(record.value), !record.absent_reason.empty())
        << record.name;
}

/// The same of a device: the driver counts 5 J and, where `counted`, bytes.
void put_on_a_device(Json& c, bool counted = true) {
  c["memory"]["predicted_peak_bytes"] = nullptr;
  Json& there = c["memory"]["device"];
  there = {
      {"name", "fake"},        {"product", "Fake 1"},
      {"driver", "none"},      {"total_bytes", 5000},
      {"loaded_bytes", 700},   {"allocated_bytes", 800},
      {"reserved_bytes", 900}, {"allocator_reason", counted ? "" : "its allocator does not count"},
      {"process_bytes", 1900}, {"process_reason", counted ? "" : "the driver says nothing"},
      {"predicted_bytes", 780}};
  c["energy"]["device"] = {{"joules", 5.0}, {"reason", counted ? "" : "no counter"}};
  if (counted) return;
  for (const char* key : {"loaded_bytes", "allocated_bytes", "reserved_bytes", "process_bytes"})
    there[key] = nullptr;
  c["energy"]["device"]["joules"] = nullptr;
}

/// By name of a record and of a column.
const Record& record_of(const std::vector<Record>& all, const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const Record& r) { return r.name == name; });
}
std::string column_of(const MeasureResult& r, const std::string& name) {
  const auto rows = parse_csv(measured_files(r)[0].second);
  const auto found = std::find(rows[0].begin(), rows[0].end(), name);
  EXPECT_NE(found, rows[0].end()) << name;
  return rows[1].at(static_cast<size_t>(found - rows[0].begin()));
}

TEST(MeasuredOnADevice, GivesTheMostOfBytesAndTheMedianOfEnergy) {
  const MeasureResult r = result_of([](Json& c, int64_t round, bool second) {
    put_on_a_device(c);
    c["energy"]["device"]["joules"] = 5.0 + static_cast<double>(round);
    if (round == 1 && second)
      for (const char* key : {"allocated_bytes", "reserved_bytes", "process_bytes"})
        c["memory"]["device"][key] = c["memory"]["device"][key].get<int64_t>() + 7;
  });
  const std::vector<Record> records = measured_records(r);
  for (const auto& [name, value] : {std::pair("device_allocated_bytes", 807),
                                    {"device_reserved_bytes", 907},
                                    {"device_process_bytes", 1907},
                                    {"device_predicted_bytes", 780},
                                    {"device_joules", 6}}) {
    EXPECT_EQ(column_of(r, name), std::to_string(value)) << name;
    const Record& record = record_of(records, name);
    const auto* whole = std::get_if<int64_t>(&record.value);
    EXPECT_EQ(whole != nullptr ? static_cast<double>(*whole) : std::get<double>(record.value),
              value)
        << name;
  }
  const Json json = measured_json(r, timings_valid(r)).at("configurations")[0];
  EXPECT_EQ(json.at("memory").at("device").at("allocated_bytes"),
            Json({800, 800, 800, 807, 800, 800}));
  EXPECT_EQ(json.at("energy").at("device").at("joules"), Json({5.0, 5.0, 6.0, 6.0, 7.0, 7.0}));
}

TEST(MeasuredOnADevice, SaysWhyNothingWasCounted) {
  const MeasureResult r =
      result_of([](Json& c, int64_t, bool) { put_on_a_device(c, /*counted=*/false); });
  const std::vector<Record> records = measured_records(r);
  for (const auto& [name, reason] :
       {std::pair("device_allocated_bytes", "its allocator does not count"),
        {"device_reserved_bytes", "its allocator does not count"},
        {"device_process_bytes", "the driver says nothing"},
        {"device_joules", "no counter"}}) {
    EXPECT_EQ(column_of(r, name), "") << name;
    EXPECT_EQ(record_of(records, name).absent_reason, reason);
  }
  for (const Record& record : records)
    EXPECT_EQ(std::holds_alternative<std::monostate>(record.value), !record.absent_reason.empty())
        << record.name;
  const Json json = measured_json(r, timings_valid(r)).at("configurations")[0];
  EXPECT_EQ(json.at("energy").at("device").at("joules"),
            Json({{"value", nullptr}, {"reason", "no counter"}}));
}

// The host's memory does not hold the model then.
TEST(MeasuredOnADevice, JudgesNoMemoryOfTheHostAndItsWeightsAsEver) {
  const MeasureResult r = result_of([](Json& c, int64_t, bool) { put_on_a_device(c); });
  for (const Verdict& v : measured_verdicts(r))
    if (v.claim == "peak-as-predicted" || v.claim.starts_with("memory-")) {
      EXPECT_EQ(v.kind, VerdictKind::kNotRun) << v.claim;
      EXPECT_THAT(v.reason, HasSubstr("on a device")) << v.claim;
    }
  EXPECT_EQ(measured_verdicts(r)[0].kind, VerdictKind::kPass);
  EXPECT_EQ(column_of(r, "predicted_peak_bytes"), "");
}

TEST(MeasuredOnADevice, IsNothingOnTheCpu) {
  const MeasureResult r = result_of();
  EXPECT_EQ(column_of(r, "device_predicted_bytes"), "");
  EXPECT_EQ(column_of(r, "predicted_peak_bytes"), "990");
  for (const Record& record : measured_records(r))
    EXPECT_FALSE(record.name.starts_with("device_")) << record.name;
  EXPECT_FALSE(
      measured_json(r, timings_valid(r)).at("configurations")[0].at("memory").contains("device"));
}

TEST(AddChild, RefusesWhatIsNoResult) {
  Measured m;
  EXPECT_EQ(error_of([&] { add_child(m, Json::object(), 0, false); }).kind(), ErrorKind::kInternal);
}

TEST(GenerationBytes, OfWeightsAreThoseOfTheDecoder) {
  for (const bool tied : {true, false})
    for (const auto dtype : {models::Dtype::kFp32, models::Dtype::kBf16}) {
      const auto decoder = fixtures::tiny_decoder({.tied_embeddings = tied, .dtype = dtype});
      models::ModelConfig config = decoder.config();
      config.tied_embeddings = tied;
      EXPECT_EQ(generation_bytes(config, dtype, 1, 8, 4, 1).weights, decoder.weight_bytes());
      const auto cache = decoder.make_cache(3, 12);
      uint64_t bytes = 0;
      for (const auto* side : {&cache.keys, &cache.values})
        for (const auto& one : *side) bytes += one.nbytes();
      EXPECT_EQ(generation_bytes(config, dtype, 3, 8, 4, 1).cache, bytes);
    }
}

}  // namespace
}  // namespace plumb::harness
