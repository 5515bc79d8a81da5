#include "harness/gate/tolerance.h"

#include <gmock/gmock.h>

#include "base/testing.h"

namespace plumb::harness {
namespace {

using plumb::testing::error_of;
using ::testing::HasSubstr;

TEST(ToleranceGrammar, ReadsWhatItWrites) {
  for (const char* word :
       {"loss:rel:+1%", "mmlu.acc:abs:-0.01", "c4.loss:rel:+0.5%", "decode.tok_s:rel:-5%",
        "peak_rss:rel:+2%", "f0:abs:0.05", "loss[similarity:7]:rel:+2%:warn", "kl[*]:abs:+0.1",
        "*.acc:abs:-0.02"}) {
    const Tolerance parsed = parse_tolerance(word);
    EXPECT_EQ(parsed.text(), word);
    EXPECT_EQ(parse_tolerance(parsed.text()).limit, parsed.limit);
  }
  const Tolerance one = parse_tolerance("loss[similarity:7]:rel:+2%:warn");
  EXPECT_EQ(one.metric, "loss");
  EXPECT_EQ(one.plan, "similarity:7");
  EXPECT_DOUBLE_EQ(one.limit, 0.02);
  EXPECT_EQ(one.sign, 1);
  EXPECT_EQ(one.severity, Severity::kWarn);
  EXPECT_EQ(parse_tolerance("f0:abs:0.05").sign, 0);
  EXPECT_DOUBLE_EQ(parse_tolerance("loss:rel:0.02").limit, 0.02);
}

TEST(ToleranceGrammar, RefusesEverythingElseNamingIt) {
  for (const auto& [word, what] : {std::pair("", "no limit"),
                                   std::pair("loss", "no limit"),
                                   std::pair("loss:1%", "not three"),
                                   std::pair("loss:about:1%", "neither abs nor rel"),
                                   std::pair("loss:abs:1%", "per cent"),
                                   std::pair("loss:rel:one", "no number"),
                                   std::pair("loss:rel:", "no number"),
                                   std::pair("loss:rel:nan", "no number"),
                                   std::pair("loss:rel:inf%", "no number"),
                                   std::pair("loss:rel:1e3%", "no number"),
                                   std::pair("loss:rel:--1%", "no number"),
                                   std::pair("loss:rel:+1%:never", "neither warn nor fail"),
                                   std::pair("loss:rel:+1%:warn:x", "not three"),
                                   std::pair("lo ss:rel:+1%", "no name"),
                                   std::pair("loss[7]:rel:+1%", "neither strategy:n"),
                                   std::pair("loss[a:b]:rel:+1%", "neither strategy:n"),
                                   std::pair("loss[a:7:rel:+1%", "without ']'"),
                                   std::pair("loss[a:7]", "no limit"),
                                   std::pair("loss:rel:2000%", "1000 %"),
                                   std::pair("<script>:rel:1%", "no name")}) {
    const Error error = error_of([w = word] { parse_tolerance(w); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << word;
    EXPECT_THAT(error.what(), HasSubstr(what)) << word;
  }
}

TEST(GateConfig, ReplacesAModelsTolerancesByName) {
  const GateConfig config = parse_gate_config(R"({
    "alpha": 0.01,
    "tolerances": ["loss:rel:+1%", {"tolerance": "peak_rss:rel:+2%", "severity": "warn"}],
    "models": {"aaaaaaaa": {"tolerances": ["loss:rel:+3%", "kl:abs:+0.1"]}}})");
  EXPECT_EQ(config.alpha, 0.01);
  const auto others = tolerances_for(config, std::string(64, 'b'));
  ASSERT_EQ(others.size(), 2u);
  EXPECT_EQ(others[1].severity, Severity::kWarn);
  const auto own = tolerances_for(config, std::string(64, 'a'));
  ASSERT_EQ(own.size(), 3u);
  EXPECT_EQ(own[0].text(), "loss:rel:+3%");
  EXPECT_EQ(own[2].text(), "kl:abs:+0.1");
}

TEST(GateConfig, HasTheDefaultsWhereItNamesNoTolerance) {
  const GateConfig config = parse_gate_config("{}");
  EXPECT_EQ(config.tolerances.size(), default_tolerances().size());
  EXPECT_TRUE(config.tolerances[0].by_default);
  EXPECT_FALSE(parse_gate_config(R"({"tolerances": ["loss:rel:+1%"]})").tolerances[0].by_default);
}

TEST(GateConfig, FindsTheWaiverThatHoldsLongest) {
  const GateConfig config = parse_gate_config(R"({"waivers": [
    {"metric": "loss", "until": "2026-01-31", "reason": "known"},
    {"metric": "loss", "until": "2026-12-31", "reason": "still known", "model": "aaaa"},
    {"metric": "kl[simple:7]", "until": "2026-12-31", "reason": "new"}]})");
  const auto until = [&](const char* word, char model) {
    const Waiver* found = waiver_for(config, parse_tolerance(word), std::string(64, model));
    return found == nullptr ? "" : found->until;
  };
  EXPECT_EQ(until("loss:rel:+1%", 'a'), "2026-12-31");
  EXPECT_EQ(until("loss:rel:+1%", 'b'), "2026-01-31");
  EXPECT_EQ(until("kl[simple:7]:abs:+1", 'b'), "2026-12-31");
  EXPECT_EQ(until("kl:abs:+1", 'b'), "");
}

TEST(GateConfig, RefusesWhatItDoesNotUnderstand) {
  for (const auto& [json, what] :
       {std::pair("{", "byte"), std::pair("[]", "no JSON object"),
        std::pair(R"({"tolerance": []})", "tolerances"), std::pair(R"({"alpha": 0.7})", "alpha"),
        std::pair(R"({"alpha": "x"})", "alpha"), std::pair(R"({"tolerances": {}})", "no array"),
        std::pair(R"({"tolerances": [1]})", "tolerances[0]"),
        std::pair(R"({"tolerances": [{"tolerance": "loss:rel:1%", "severity": 3}]})", "severity"),
        std::pair(R"({"models": {"aa": {}}})", "8 digits"),
        std::pair(R"({"waivers": [{"metric": "loss", "until": "2026-12-31"}]})", "reason"),
        std::pair(R"({"waivers": [{"metric": "loss", "until": "2026-13-01", "reason": "x"}]})",
                  "until"),
        std::pair(R"({"waivers": [{"metric": "loss", "until": "soon", "reason": "x"}]})", "until"),
        std::pair(R"({"waivers": [{"metric": "loss", "until": "2026-12-31", "reason": ""}]})",
                  "reason")}) {
    const Error error = error_of([j = json] { parse_gate_config(j); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << json;
    EXPECT_THAT(error.what(), HasSubstr(what)) << json;
  }
}

}  // namespace
}  // namespace plumb::harness
