#include "harness/gate/interleaved.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/file.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "harness/gate/gate_testing.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

/// Two models and a program that takes 10 and 12 ms with them, a little more each time, and notes which it was asked for.
class Interleaved : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto file = fixtures::tiny_gguf(fixtures::tiny_decoder({}), models::StoredType::kF32);
    for (const char* name : {"old.gguf", "slow.gguf"})
      write_file_atomically(folder_ / name, file.bytes());
    write_file_atomically(program(), text("#!/bin/sh\necho \"$3\" >> ", folder_ / "asked", R"(
case "$3" in *slow*) ms=12 bytes=2000;; *) ms=10 bytes=1000;; esac
ms=$ms.0$(wc -l < )",
                                          folder_ / "asked", R"()
echo "{\"removed\": \"\", \"peak_excludes_loading\": true, \"cost\": {\"blocks\": 2, \"block_bytes\": 500,
  \"weight_bytes\": 900, \"peak_resident_bytes\": $bytes, \"baseline_resident_bytes\": 1,
  \"prefill_ms\": [100, 101], \"prefill_blocks_ms\": [90, 91], \"decode_ms_per_token\": [$ms, $ms, $ms]}}"
)"));
    fs::permissions(program(), fs::perms::owner_all);
  }
  std::string program() const { return folder_ / "program"; }
  Experiment experiment(const char* model) const {
    Settings settings;
    Experiment out = make_experiment(settings);
    out.model = folder_ / model;
    out.prefill_tokens = out.decode_context = 16;
    return out;
  }

  plumb::testing::TemporaryFolder folder_;
};

TEST_F(Interleaved, MeasuresBothSidesForthAndBack) {
  const Console console(Format::kQuiet);
  const InterleavedSides sides =
      measure_interleaved(experiment("old.gguf"), experiment("slow.gguf"), 4, program(), console);
  std::string asked = read_file(folder_ / "asked"), order;
  for (size_t at = 0; (at = asked.find(".gguf", at)) != std::string::npos; ++at)
    order += asked[at - 1] == 'd' ? 'A' : 'B';
  EXPECT_EQ(order, "ABBAABBA");
  const RepeatedSeries& decode = sides.baseline.repeated.at(2);
  EXPECT_EQ(decode.metric, "decode_ms_per_token");
  ASSERT_EQ(decode.runs.size(), 4u);
  EXPECT_EQ(decode.runs[1], (std::vector<double>{10.04, 10.04, 10.04}));
  EXPECT_EQ(sides.candidate.repeated.at(2).runs[1][0], 12.03);
  EXPECT_EQ(first_difference(sides.baseline.system, sides.candidate.system), "");
  EXPECT_EQ(sides.baseline.cost.at("prefill tokens"), "16");

  GateOptions options;
  options.interleaved = true;
  const auto kinds = [&](const char* word) {
    return judge_gate(sides.baseline, sides.candidate, testing::tolerances({word}), options)
        .findings.at(0)
        .verdict;
  };
  EXPECT_EQ(kinds("decode.tok_s:rel:-5%").kind, VerdictKind::kFail);
  EXPECT_EQ(kinds("prefill.tok_s:rel:-5%").kind, VerdictKind::kPass);
  EXPECT_EQ(kinds("weight_bytes:rel:+1%").kind, VerdictKind::kPass);
  EXPECT_EQ(kinds("peak_rss:rel:+50%").kind, VerdictKind::kFail);
  const Verdict near = kinds("decode.ms:abs:+2");
  EXPECT_EQ(near.kind, VerdictKind::kInconclusive);
  EXPECT_THAT(near.next_step, ::testing::HasSubstr("--measure "));
}

TEST_F(Interleaved, SaysWhichProcessFailed) {
  write_file_atomically(program(), "#!/bin/sh\necho 'no such device' >&2\nexit 6\n");
  fs::permissions(program(), fs::perms::owner_all);
  const Console console(Format::kQuiet);
  const Error error = plumb::testing::error_of([&] {
    measure_interleaved(experiment("old.gguf"), experiment("slow.gguf"), 2, program(), console);
  });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), ::testing::HasSubstr("no such device"));
}

}  // namespace
}  // namespace plumb::harness
