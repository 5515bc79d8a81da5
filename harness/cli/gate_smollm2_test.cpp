// `plumb gate` on runs of the real model: the same twice, and with one more block removed.

#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::AnyOf;
using Json = nlohmann::ordered_json;

TEST(GateSmolLm2, TellsTheSameModelFromOneWithABlockLess) {
  const char* const model = std::getenv("PLUMB_TEST_MODEL");
  const char* const documents = std::getenv("PLUMB_TEST_DOCUMENTS");
  if (model == nullptr || documents == nullptr)
    GTEST_SKIP() << "PLUMB_TEST_MODEL and PLUMB_TEST_DOCUMENTS name no model or documents";
  const plumb::testing::TemporaryFolder folder;
  const auto run = [&](const std::string& of, const char* name) {
    std::vector<std::string> words = {"run", "--model", of, "--out", folder / name};
    for (const std::string& setting :
         {std::string("heal.n="), std::string("sweep.n=0"), std::string("questions.tasks="),
          text("validation.documents=", documents, "/validation.jsonl"),
          text("calibration.documents=", documents, "/calibration.jsonl"),
          std::string("validation.limit=24"), std::string("validation.max_tokens=128"),
          std::string("calibration.limit=2"), std::string("calibration.max_tokens=32"),
          std::string("cost.n=0"), std::string("cost.repetitions=6"),
          std::string("cost.prefill_tokens=16"), std::string("cost.decode_context=8"),
          std::string("cost.decode_tokens=2")})
      words.insert(words.end(), {"--set", setting});
    const ChildOutput done = plumb(words);
    ASSERT_EQ(done.exit_code, 0) << done.err;
  };
  run(model, "first");
  run(model, "second");
  const std::string pruned = folder / "pruned.gguf";
  ASSERT_EQ(plumb({"prune", "--model", model, "--first", "12", "--n", "1", "--format", "gguf",
                   "--out", pruned})
                .exit_code,
            0);
  run(pruned, "pruned");

  const auto gate = [&](const char* candidate) {
    return plumb({"gate", "--baseline", folder / "first", "--candidate", folder / candidate,
                  "--format", "json"});
  };
  const ChildOutput same = gate("second");
  EXPECT_THAT(same.exit_code, AnyOf(0, 3)) << same.out;
  const Json losses = Json::parse(same.out)["findings"][0];
  EXPECT_EQ(losses["verdict"], "PASS");
  EXPECT_EQ(losses["change"], 0);  // the same bits

  const ChildOutput less = gate("pruned");
  EXPECT_EQ(less.exit_code, 1) << less.out;
  const Json worse = Json::parse(less.out)["findings"][0];
  EXPECT_EQ(worse["tolerance"], "loss:rel:+1%");
  EXPECT_EQ(worse["verdict"], "FAIL");
}

}  // namespace
}  // namespace plumb::harness::testing
