// `plumb heal` on the real model and real text, and PEFT's word for what it wrote.

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/testing.h"
#include "harness/cli/program_testing.h"
#include "models/documents.h"

namespace plumb::harness::testing {
namespace {

using Json = nlohmann::json;

TEST(HealSmolLm2, HealsOnC4AndPeftGivesTheSameLosses) {
  const char* const model = std::getenv("PLUMB_TEST_MODEL");
  const char* const data = std::getenv("PLUMB_TEST_DATA");
  if (model == nullptr || data == nullptr)
    GTEST_SKIP() << "PLUMB_TEST_MODEL and PLUMB_TEST_DATA name no model or data";
  const plumb::testing::TemporaryFolder folder;
  // Eight documents to validate on, so that the peer has little to do.
  std::string lines;
  const auto documents = models::read_documents(fs::path(data) / "c4" / "c4_en_validation.jsonl");
  for (size_t i = 0; i < 8; ++i) lines += Json{{"text", documents[i].text}}.dump() + "\n";
  fixtures::put(folder / "validation.jsonl", lines);
  const std::string out = folder / "healed";
  const ChildOutput done = plumb({"heal",
                                  "--model",
                                  model,
                                  "--first",
                                  "12",
                                  "--n",
                                  "7",
                                  "--documents",
                                  std::string(data) + "/c4/c4_en_train.jsonl",
                                  "--validation",
                                  folder / "validation.jsonl",
                                  "--max-tokens",
                                  "64",
                                  "--batch",
                                  "2",
                                  "--steps",
                                  "6",
                                  "--rank",
                                  "4",
                                  "--targets",
                                  "all",
                                  "--learning-rate",
                                  "2e-3",
                                  "--dtype",
                                  "fp32",
                                  "--out",
                                  out});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const Json healing = Json::parse(read_file(out + "/healing.json")).at("validation");
  const double before = healing.at("before").at("loss_nats");
  const double after = healing.at("after").at("loss_nats");
  EXPECT_LT(after, before - 0.05);

  const auto python = plumb::testing::peer_python("torch, transformers, peft, bitsandbytes");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const std::string ids = folder / "ids.jsonl";
  const ChildOutput said =
      plumb({"inspect", "--model", model, "--tokenize", folder / "validation.jsonl", "--out", ids});
  ASSERT_EQ(said.exit_code, 0) << said.err;
  const std::string command =
      text("'", python.path, "' '", PLUMB_SOURCE_DIR, "/fixtures/golden/load_healed.py' --healed '",
           out, "' --ids '", ids, "' --max-tokens 64 --out '", (folder / "said.json").string(),
           "' >/dev/null 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const Json peer = Json::parse(read_file(folder / "said.json"));
  // The project's bound on parity in fp32, of the loss.
  EXPECT_NEAR(peer.at("before").get<double>(), before, 1e-4 * before);
  EXPECT_NEAR(peer.at("after").get<double>(), after, 1e-4 * after);
}

}  // namespace
}  // namespace plumb::harness::testing
