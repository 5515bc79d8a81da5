#include "harness/gate/gate.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/json_fields.h"
#include "base/testing.h"
#include "harness/gate/gate_files.h"
#include "harness/gate/gate_testing.h"
#include "reports/demonstration.h"
#include "reports/report.h"
#include "reports/schema_validator.h"
#include "reports/versioned.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using testing::add_answers;
using testing::add_losses;
using testing::add_times;
using testing::bare_snapshot;
using ::testing::HasSubstr;
using testing::judged;
using testing::normals;
using testing::tolerances;

/// Losses of 40 documents about 3 nats, and the same again worse by `share` and a little noise.
struct TwoRuns {
  GateSnapshot baseline = bare_snapshot("before"), candidate = bare_snapshot("after");
};
TwoRuns loss_runs(double share, double noise = 0.01, size_t documents = 40) {
  TwoRuns out;
  Rng rng(5);
  const auto before = normals(documents, 3, 0.4, rng);
  auto after = before;
  double error = 0;  // in pairs, so that the mean is worse by the share itself
  for (size_t i = 0; i < after.size(); ++i) {
    error = i % 2 == 0 ? noise * rng.normal() : -error;
    after[i] = after[i] * (1 + share) + error;
  }
  add_losses(out.baseline, before);
  add_losses(out.candidate, after);
  return out;
}

const Finding& only(const GateResult& result) {
  EXPECT_EQ(result.findings.size(), 1u);
  return result.findings.at(0);
}

VerdictKind kind_of(const GateResult& result) { return only(result).verdict.kind; }

TEST(Gate, PassesTheSameRun) {
  const TwoRuns runs = loss_runs(0);
  const GateResult result = judged(runs.baseline, runs.baseline);
  EXPECT_EQ(kind_of(result), VerdictKind::kPass);
  EXPECT_EQ(gate_exit_code(result, 3), 0);
  EXPECT_EQ(*only(result).change, 0);
  // Even where nothing is allowed: two equal runs are not worse.
  EXPECT_EQ(kind_of(judged(runs.baseline, runs.baseline, tolerances({"loss:abs:0"}))),
            VerdictKind::kPass);
}

TEST(Gate, FailsBeyondAndPassesWithinTheTolerance) {
  const auto kind = [](double share, const char* word) {
    const TwoRuns runs = loss_runs(share);
    return kind_of(judged(runs.baseline, runs.candidate, tolerances({word})));
  };
  EXPECT_EQ(kind(0.02, "loss:rel:+1%"), VerdictKind::kFail);
  EXPECT_EQ(kind(0.02, "loss:rel:+4%"), VerdictKind::kPass);
  EXPECT_EQ(kind(-0.5, "loss:rel:+1%"), VerdictKind::kPass);  // better is not worse
  EXPECT_EQ(kind(0.02, "loss:rel:+2%"), VerdictKind::kInconclusive);
  EXPECT_EQ(kind(0.02, "loss:abs:+0.02"), VerdictKind::kFail);
  EXPECT_EQ(kind(0.02, "loss:abs:+0.2"), VerdictKind::kPass);
  EXPECT_EQ(kind(0.02, "c4.loss:rel:+1%"), VerdictKind::kFail);
  EXPECT_EQ(kind(0.02, "other.loss:rel:+1%"), VerdictKind::kNotRun);
}

TEST(Gate, SaysHowManyMoreWouldDecide) {
  const TwoRuns runs = loss_runs(0.005, 0.3);
  const GateResult result = judged(runs.baseline, runs.candidate);
  const Finding& f = only(result);
  EXPECT_EQ(f.verdict.kind, VerdictKind::kInconclusive);
  ASSERT_TRUE(f.enough && f.more);
  EXPECT_EQ(*f.enough, f.samples + *f.more);
  EXPECT_THAT(f.verdict.next_step, HasSubstr(text("about ", *f.more, " more documents")));
  EXPECT_EQ(gate_exit_code(result, 3), 3);
  EXPECT_EQ(gate_exit_code(result, 0), 0);
  EXPECT_EQ(gate_exit_code(result, 1), 1);
}

TEST(Gate, NeverDecidesOnAHandfulOfDocuments) {
  const TwoRuns runs = loss_runs(0.5, 0.01, 5);
  const GateResult result = judged(runs.baseline, runs.candidate);
  EXPECT_EQ(kind_of(result), VerdictKind::kInconclusive);
  EXPECT_GE(*only(result).enough, 8);
}

TEST(Gate, PairsTheDocumentsThatBothHave) {
  TwoRuns runs = loss_runs(0.02);
  DocumentSeries& series = runs.candidate.documents[0];
  series.documents.erase(series.documents.begin() + 3);
  series.values.erase(series.values.begin() + 3);
  const GateResult result = judged(runs.baseline, runs.candidate);
  EXPECT_EQ(only(result).samples, 39);
  EXPECT_EQ(kind_of(result), VerdictKind::kFail);
}

TEST(Gate, RefusesToCompareWhatDiffers) {
  const auto code_and_reason = [](auto change, const std::string& what, bool same_model = false) {
    TwoRuns runs = loss_runs(0);
    change(runs.candidate);
    GateOptions options;
    options.today = "2026-01-01";
    options.same_model = same_model;
    const GateResult result = judge_gate(runs.baseline, runs.candidate, {}, options);
    EXPECT_EQ(gate_exit_code(result, 0), 7) << what;
    EXPECT_EQ(only(result).verdict.kind, VerdictKind::kIncomparable) << what;
    EXPECT_THAT(only(result).verdict.reason, HasSubstr(what));
  };
  code_and_reason([](GateSnapshot& s) { s.loss["sha256"] = "u"; }, "sha256");
  code_and_reason([](GateSnapshot& s) { s.loss["dtype"] = "bf16"; }, "dtype: 'fp32' and 'bf16'");
  code_and_reason([](GateSnapshot& s) { s.loss.erase("dtype"); }, "dtype: 'fp32' and nothing");
  code_and_reason([](GateSnapshot& s) { s.model["vocabulary"] = "32000"; }, "vocabulary");
  code_and_reason([](GateSnapshot& s) { s.model["architecture"] = "phi2"; }, "architecture");
  code_and_reason(
      [](GateSnapshot& s) {
        s.documents[0].documents.assign(40, 0);
        for (size_t i = 0; i < 40; ++i) s.documents[0].documents[i] = static_cast<int64_t>(2 * i);
      },
      "no document in common");
  code_and_reason([](GateSnapshot& s) { s.model["sha256"] = std::string(64, 'b'); }, "sha256",
                  true);
  // Other weights of the same architecture are what a gate is for.
  TwoRuns runs = loss_runs(0.02);
  runs.candidate.model["sha256"] = std::string(64, 'b');
  runs.candidate.model["blocks"] = "29";
  const GateResult result = judged(runs.baseline, runs.candidate);
  EXPECT_EQ(kind_of(result), VerdictKind::kFail);
  EXPECT_THAT(result.notes.at(0), HasSubstr("other weights"));
}

/// A run of ten times about `ms`.
std::vector<double> about(double ms, Rng& rng) { return normals(10, ms, 0.005 * ms, rng); }

TEST(Gate, ComparesTimesOfOneMachineAlone) {
  GateSnapshot baseline = bare_snapshot(), candidate = bare_snapshot();
  Rng rng(9);
  add_times(baseline, {about(10, rng), about(10.05, rng), about(9.95, rng)});
  add_times(candidate, {about(10.02, rng), about(9.98, rng)});
  const GateConfig config = tolerances({"decode.tok_s:rel:-5%"});
  EXPECT_EQ(kind_of(judged(baseline, candidate, config)), VerdictKind::kPass);
  GateSnapshot other = candidate;
  other.system["CPU"] = "another";
  const GateResult result = judged(baseline, other, config);
  EXPECT_EQ(kind_of(result), VerdictKind::kIncomparable);
  EXPECT_THAT(only(result).verdict.reason,
              HasSubstr("another machine, CPU: 'a processor' and 'another'"));
  EXPECT_EQ(gate_exit_code(result, 3), 7);
  other = candidate;
  other.cost["threads"] = "1";
  EXPECT_EQ(kind_of(judged(baseline, other, config)), VerdictKind::kIncomparable);
}

TEST(Gate, FailsASlowerCandidateInTheDirectionThatItsMetricHas) {
  Rng rng(10);
  GateSnapshot baseline = bare_snapshot(), slow = bare_snapshot();
  add_times(baseline, {about(10, rng), about(10.1, rng), about(10.2, rng)});
  add_times(slow, {about(12, rng), about(12.1, rng)});
  const GateResult result = judged(baseline, slow, tolerances({"decode.tok_s:rel:-5%"}));
  const Finding& f = only(result);
  EXPECT_EQ(f.verdict.kind, VerdictKind::kFail);
  // Four deviations of the difference of two medians of ten.
  EXPECT_NEAR(*f.noise_floor, 0.02, 4 * 0.005 * std::sqrt(2 * 1.5708 / 10));
  EXPECT_NEAR(*f.change, 10.1 / 12.05 - 1, 0.01);  // fewer tokens a second
  EXPECT_NEAR(*f.baseline, 1000 / 10.1, 0.5);
  EXPECT_NEAR(*f.candidate / *f.baseline - 1, *f.change, 1e-12);
  EXPECT_EQ(f.samples, 2);
  EXPECT_EQ(f.runs->baseline, 3);
  EXPECT_EQ(f.runs->candidate, 2);
  const auto kind = [&](const char* word) {
    return kind_of(judged(baseline, slow, tolerances({word})));
  };
  EXPECT_EQ(kind("decode.ms:rel:+5%"), VerdictKind::kFail);
  EXPECT_EQ(kind("decode.ms:abs:+1"), VerdictKind::kFail);
  EXPECT_EQ(kind("decode.tok_s:abs:-5"), VerdictKind::kFail);
  EXPECT_EQ(kind("decode.ms:abs:+3"), VerdictKind::kPass);
  EXPECT_EQ(kind("decode.tok_s:rel:-30%"), VerdictKind::kPass);
  EXPECT_EQ(kind("decode.ms:abs:+2"), VerdictKind::kInconclusive);
  EXPECT_EQ(kind("decode.ms:rel:0"), VerdictKind::kInvalid);
  slow.repeated[0].runs[1][3] = 0;
  EXPECT_EQ(kind("decode.ms:rel:+5%"), VerdictKind::kInvalid);
}

TEST(Gate, FailsTimesOnlyWhereAnotherRunRepeatsThem) {
  Rng rng(11);
  const GateConfig config = tolerances({"decode.tok_s:rel:-5%"});
  GateSnapshot baseline = bare_snapshot(), slow = bare_snapshot();
  add_times(baseline, {about(10, rng), about(10.1, rng), about(9.9, rng)});
  add_times(slow, {about(20, rng)});
  const GateResult once = judged(baseline, slow, config);
  EXPECT_EQ(kind_of(once), VerdictKind::kInconclusive);
  EXPECT_LE(*only(once).p_holm, 0.05);
  EXPECT_EQ(only(once).more, 1);
  EXPECT_THAT(only(once).verdict.reason, HasSubstr("but in one run of the candidate"));
  EXPECT_THAT(only(once).verdict.next_step, HasSubstr("--candidate RUN --candidate ANOTHER"));
  EXPECT_EQ(gate_exit_code(once, 3), 3);
  GateSnapshot twice = slow;
  twice.repeated[0].runs.push_back(about(19, rng));
  EXPECT_EQ(gate_exit_code(judged(baseline, twice, config), 3), 1);
  // Many quiet runs make the mean of a quiet and a disturbed one sure, but nothing that repeats.
  GateSnapshot quiet = bare_snapshot(), disturbed = bare_snapshot();
  add_times(quiet, {});
  for (int i = 0; i < 8; ++i) quiet.repeated[0].runs.push_back(about(10, rng));
  add_times(disturbed, {about(10, rng), about(20, rng)});
  const GateResult half = judged(quiet, disturbed, config);
  EXPECT_EQ(kind_of(half), VerdictKind::kInconclusive);
  EXPECT_LE(*only(half).p_holm, 0.05);
  EXPECT_THAT(only(half).verdict.reason, HasSubstr("but not without the slowest run"));
}

TEST(Gate, TellsNothingOfTimesByOneRunOfEach) {
  Rng rng(12);
  GateSnapshot baseline = bare_snapshot(), slow = bare_snapshot();
  add_times(baseline, {about(10, rng)});
  add_times(slow, {about(20, rng)});
  const GateResult result = judged(baseline, slow, tolerances({"decode.ms:rel:+5%"}));
  const Finding& f = only(result);
  EXPECT_EQ(f.verdict.kind, VerdictKind::kInconclusive);
  EXPECT_FALSE(f.interval || f.p || f.noise_floor || f.enough);
  EXPECT_EQ(result.tests, 0);
  EXPECT_EQ(f.more, 2);
  EXPECT_THAT(f.verdict.next_step, HasSubstr("2 more runs of the candidate"));
  EXPECT_THAT(f.verdict.next_step, HasSubstr("2 more of the baseline"));
}

TEST(Gate, SaysHowManyMoreRunsWouldDecide) {
  Rng rng(13);
  const GateConfig config = tolerances({"decode.ms:rel:+5%"});
  GateSnapshot baseline = bare_snapshot(), candidate = bare_snapshot();
  add_times(baseline, {about(10, rng), about(13, rng)});
  add_times(candidate, {about(11, rng), about(12, rng)});
  const GateResult two = judged(baseline, candidate, config);
  EXPECT_EQ(kind_of(two), VerdictKind::kInconclusive);
  EXPECT_FALSE(only(two).enough.has_value());  // two degrees of freedom know too little
  EXPECT_THAT(only(two).verdict.next_step, HasSubstr("1 more run of the candidate"));
  baseline.repeated[0].runs.push_back(about(11, rng));
  baseline.repeated[0].runs.push_back(about(12, rng));
  const GateResult more = judged(baseline, candidate, config);
  const Finding& f = only(more);
  EXPECT_EQ(f.verdict.kind, VerdictKind::kInconclusive);
  ASSERT_TRUE(f.enough && f.more);
  EXPECT_GT(*f.enough, 10);
  EXPECT_EQ(*f.more, *f.enough - 2);
  EXPECT_THAT(f.verdict.next_step, HasSubstr(text("about ", *f.enough, " runs of each side")));
  EXPECT_THAT(f.verdict.next_step, HasSubstr(text(*f.enough - 2, " more runs of the candidate")));
  EXPECT_THAT(f.verdict.next_step, HasSubstr(text(*f.enough - 4, " more of the baseline")));
}

TEST(Gate, HoldsTheLargestPeakOfEachSide) {
  GateSnapshot baseline = bare_snapshot(), candidate = bare_snapshot();
  add_times(baseline, {{1000}, {1010}}, "peak_resident_bytes");
  add_times(candidate, {{1025}}, "peak_resident_bytes");
  const auto config = [](const char* word) { return tolerances({word}); };
  EXPECT_EQ(kind_of(judged(baseline, candidate, config("peak_rss:rel:+2%"))), VerdictKind::kPass);
  candidate.repeated[0].runs = {{1031}};
  const GateResult result = judged(baseline, candidate, config("peak_rss:rel:+2%"));
  EXPECT_EQ(kind_of(result), VerdictKind::kFail);
  EXPECT_FALSE(only(result).p.has_value());
  EXPECT_EQ(kind_of(judged(baseline, candidate, config("peak_rss:rel:+0.5%"))),
            VerdictKind::kInvalid);  // the baseline's own runs differ by 1 %
}

TEST(Gate, HoldsAnswersQuestionByQuestion) {
  GateSnapshot baseline = bare_snapshot(), same = bare_snapshot(), worse = bare_snapshot();
  std::vector<uint8_t> right(600, 1);
  add_answers(baseline, right);
  add_answers(same, right);
  for (size_t i = 0; i < 60; ++i) right[i] = 0;
  add_answers(worse, right);
  EXPECT_EQ(kind_of(judged(baseline, same)), VerdictKind::kPass);
  const GateResult result = judged(baseline, worse);
  EXPECT_EQ(kind_of(result), VerdictKind::kFail);
  EXPECT_EQ(only(result).tolerance.name(), "own.acc");
  EXPECT_DOUBLE_EQ(*only(result).change, -0.1);
  EXPECT_EQ(kind_of(judged(baseline, worse, tolerances({"own.acc:rel:-20%"}))), VerdictKind::kPass);
  EXPECT_EQ(kind_of(judged(baseline, worse, tolerances({"own.acc:abs:0"}))), VerdictKind::kInvalid);
  worse.answers->tasks[0].questions[7].prompt_hash = sha256_hex("another");
  const GateResult prompt = judged(baseline, worse);
  EXPECT_EQ(kind_of(prompt), VerdictKind::kIncomparable);
  EXPECT_THAT(only(prompt).verdict.reason, HasSubstr("another prompt"));
}

TEST(Gate, HoldsACollapseInBothDirections) {
  GateSnapshot baseline = bare_snapshot(), candidate = bare_snapshot();
  const auto put = [](GateSnapshot& s, double value) {
    s.estimates = {{"f0", "own", "similarity", value, {value - 0.01, value + 0.01, 0.95, "m"}}};
  };
  put(baseline, 0.4);
  const auto kind = [&](double value, const char* word) {
    put(candidate, value);
    return kind_of(judged(baseline, candidate, tolerances({word})));
  };
  EXPECT_EQ(kind(0.41, "f0:abs:0.05"), VerdictKind::kPass);
  EXPECT_EQ(kind(0.3, "f0:abs:0.05"), VerdictKind::kFail);
  EXPECT_EQ(kind(0.5, "f0:abs:0.05"), VerdictKind::kFail);
  EXPECT_EQ(kind(0.5, "f0:abs:-0.05"), VerdictKind::kPass);
  EXPECT_EQ(kind(0.45, "own.f0:abs:0.05"), VerdictKind::kInconclusive);
  EXPECT_EQ(kind(0.45, "f0[simple:0]:abs:0.05"), VerdictKind::kNotRun);
}

TEST(Gate, DoesNotPassWhatWasNotMeasured) {
  const TwoRuns runs = loss_runs(0);
  const GateResult result =
      judged(runs.baseline, runs.candidate, tolerances({"loss:rel:+1%", "kl:abs:+0.1"}));
  ASSERT_EQ(result.findings.size(), 2u);
  EXPECT_EQ(result.findings[0].verdict.kind, VerdictKind::kPass);
  EXPECT_EQ(result.findings[1].verdict.kind, VerdictKind::kNotRun);
  EXPECT_THAT(result.findings[1].verdict.reason, HasSubstr("in neither run"));
  EXPECT_EQ(gate_exit_code(result, 3), 3);
  // A run of nothing has tested nothing, whatever INCONCLUSIVE is mapped to.
  const GateResult nothing = judged(bare_snapshot(), bare_snapshot());
  EXPECT_EQ(gate_exit_code(nothing, 0), 3);
  EXPECT_EQ(
      gate_exit_code(judged(bare_snapshot(), bare_snapshot(), tolerances({"kl:abs:+1:warn"})), 0),
      3);
  // What the baseline has and the candidate lacks is a gap, also where a default asks for it.
  const GateResult gap = judged(runs.baseline, bare_snapshot());
  EXPECT_EQ(kind_of(gap), VerdictKind::kNotRun);
  EXPECT_EQ(gate_exit_code(gap, 3), 3);
}

TEST(Gate, TellsWhyANumberIsAbsent) {
  GateSnapshot baseline = bare_snapshot(), candidate = bare_snapshot();
  candidate.absent["f0"] = "the whole model's accuracy is not above chance";
  const GateResult result = judged(baseline, candidate, tolerances({"f0:abs:0.05"}));
  EXPECT_THAT(only(result).verdict.reason, HasSubstr("not above chance"));
}

TEST(Gate, CorrectsForAllTests) {
  TwoRuns runs = loss_runs(0.0125, 0.04);
  const double alone = *only(judged(runs.baseline, runs.candidate)).p_holm;
  EXPECT_EQ(alone, *only(judged(runs.baseline, runs.candidate)).p);
  for (const char* plan : {"simple:3", "simple:4", "simple:5"}) {
    const auto same = runs.baseline.documents[0].values;
    add_losses(runs.baseline, same, plan);
    add_losses(runs.candidate, same, plan);
  }
  const GateResult all = judged(runs.baseline, runs.candidate, tolerances({"loss[*]:rel:+1%"}));
  EXPECT_EQ(all.tests, 4);
  EXPECT_DOUBLE_EQ(*all.findings[0].p_holm, std::min(1.0, 4 * alone));
}

TEST(Gate, CountsNoWarningAndNoWaivedFailureUntilItExpires) {
  const TwoRuns runs = loss_runs(0.02);
  const GateResult warned =
      judged(runs.baseline, runs.candidate, tolerances({"loss:rel:+1%:warn"}));
  EXPECT_EQ(kind_of(warned), VerdictKind::kFail);
  EXPECT_EQ(gate_exit_code(warned, 3), 0);
  GateConfig config = tolerances({"loss:rel:+1%"});
  config.waivers = {{"loss", "", "2026-06-15", "the tokenizer changed"}};
  const GateResult waived = judged(runs.baseline, runs.candidate, config);
  EXPECT_EQ(kind_of(waived), VerdictKind::kFail);
  EXPECT_EQ(only(waived).verdict.excused, "waived until 2026-06-15: the tokenizer changed");
  EXPECT_EQ(gate_exit_code(waived, 3), 0);
  config.waivers[0].until = "2026-06-14";
  const GateResult expired = judged(runs.baseline, runs.candidate, config);
  EXPECT_EQ(gate_exit_code(expired, 3), 1);
  EXPECT_THAT(expired.notes.at(0), HasSubstr("expired on 2026-06-14"));
}

TEST(Gate, IsInvalidWhereARunIsNotToBeBelieved) {
  TwoRuns runs = loss_runs(0);
  runs.candidate.invalid = {"residual-reconnection is FAIL: 3 values differ"};
  const GateResult result = judged(runs.baseline, runs.candidate);
  EXPECT_EQ(kind_of(result), VerdictKind::kInvalid);
  EXPECT_EQ(gate_exit_code(result, 0), 7);
}

TEST(Gate, RefusesToleranceThatAsksForNothing) {
  const TwoRuns runs = loss_runs(0);
  const auto error = [&](const char* word) {
    return error_of([&] { judged(runs.baseline, runs.candidate, tolerances({word})); });
  };
  EXPECT_THAT(error("los:rel:+1%").what(), HasSubstr("there is no metric 'los'"));
  EXPECT_THAT(error("loss:rel:-1%").what(), HasSubstr("gets worse when it rises"));
  EXPECT_EQ(error("own.acc:abs:+0.01").kind(), ErrorKind::kUsage);
}

TEST(GateFiles, FitTheSchemaAndKeepEveryNumber) {
  TwoRuns runs = loss_runs(0.02);
  add_times(runs.baseline, {{10, 11, 12, 13, 14, 15}, {11}});
  add_times(runs.candidate, {{10, 12}});
  add_times(runs.baseline, {{10}}, "prefill_ms");
  const GateResult result =
      judged(runs.baseline, runs.candidate,
             tolerances({"loss:rel:+1%", "prefill.ms:rel:+5%", "decode.ms:rel:+5%"}));
  ASSERT_EQ(result.findings.size(), 3u);
  const auto json = gate_json(result, runs.baseline, runs.candidate, gate_exit_code(result, 3));
  EXPECT_EQ(
      reports::read_versioned(json.dump(), reports::gate_schema(), reports::kGateVersion, "gate"),
      json);
  EXPECT_EQ(json["exit_code"], 1);
  EXPECT_EQ(json["findings"][0]["verdict"], "FAIL");
  EXPECT_EQ(json["findings"][0]["change"], *result.findings[0].change);
  EXPECT_TRUE(json["findings"][0]["runs"].is_null());
  EXPECT_EQ(json["findings"][2]["runs"]["baseline"], 2);
  EXPECT_EQ(json["findings"][2]["runs"]["candidate"], 1);
  EXPECT_TRUE(json["findings"][1]["baseline"].is_null());
  EXPECT_NE(json["findings"][1]["reason"], "");
}

TEST(GateFiles, ShowHostileNamesAndDoNothing) {
  TwoRuns runs = loss_runs(0.02);
  runs.candidate.source = reports::kHostile + "@all\n::error::x";
  runs.candidate.model["name"] = reports::kHostile;
  runs.candidate.model["sha256"] = reports::kHostile;
  runs.candidate.absent["kl_nats"] = reports::kHostile;
  GateConfig config = tolerances({"loss:rel:+1%", "kl:abs:+1"});
  config.waivers = {{"loss", "", "2027-01-01", reports::kHostile}};
  const GateResult result = judged(runs.baseline, runs.candidate, config);
  const std::string markdown = gate_markdown(result, runs.baseline, runs.candidate, 0);
  for (const char* part : {"<script", "@all", "\n::error", "\x1b"})
    EXPECT_EQ(markdown.find(part), std::string::npos) << part;
  const auto json = gate_json(result, runs.baseline, runs.candidate, 0);
  EXPECT_NO_THROW(
      reports::read_versioned(json.dump(), reports::gate_schema(), reports::kGateVersion, "gate"));
  reports::Report report;
  report.verdicts = verdicts_of(result);
  const std::string junit = reports::to_junit_xml(report);
  EXPECT_EQ(junit.find("<script"), std::string::npos);
  EXPECT_EQ(junit.find("<failure"), std::string::npos);  // waived
  for (const std::string& line : gate_lines(result))
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace plumb::harness
