// `plumb sweep` of several models: each as it would be alone, and joined tables.

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

class SweepModels : public TinyCase {
 protected:
  void SetUp() override {
    TinyCase::SetUp();
    fixtures::put(path("own.jsonl"), tiny_questions(7));
    fixtures::TinyDecoderOptions options;
    options.block_count = 6;
    options.seed = 5;
    fixtures::put(
        other(),
        fixtures::tiny_gguf(fixtures::tiny_decoder(options), models::StoredType::kF32).bytes());
  }
  std::string other() const { return path("other.gguf"); }
  ChildOutput sweep(const Words& models, const std::string& out, const Words& more = {}) const {
    Words words{"sweep",
                "--documents",
                text_file(),
                "--max-tokens",
                "32",
                "--limit",
                "16",
                "--tasks",
                "multiple_choice",
                "--data",
                "multiple_choice=" + path("own.jsonl"),
                "--strategies",
                "simple,similarity",
                "--n",
                "0-4:2",
                "--out",
                path(out)};
    for (const std::string& model : models) words.insert(words.end(), {"--model", model});
    words.insert(words.end(), more.begin(), more.end());
    return plumb(words);
  }
  std::string bytes(const std::string& file) const { return read_file(path(file)); }
  /// What a series gives in the end, by file.
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(path(folder)))
      if (const auto name = entry.path().lexically_relative(path(folder)).string();
          entry.is_regular_file() && name.find(".stages") == name.npos)
        out[name] = read_file(entry.path());
    for (auto& [name, content] : out) {
      if (!name.ends_with("sweep.json")) continue;
      auto json = nlohmann::ordered_json::parse(content);
      json.erase("run");
      content = json.dump();
    }
    return out;
  }
};

TEST_F(SweepModels, AreEachAsTheyAreAloneWithOneTableOfAll) {
  const ChildOutput done = sweep({model(), other()}, "all");
  ASSERT_EQ(done.exit_code, 0) << done.err;
  ASSERT_EQ(sweep({other()}, "alone").exit_code, 0);
  for (const auto& [name, content] : files("alone"))
    EXPECT_TRUE(content == files("all").at("other.gguf/" + name)) << name;
  for (const char* table : {"loss.csv", "accuracy.csv"}) {
    const auto rows = parse_csv(bytes(std::string("all/") + table));
    auto expected = parse_csv(bytes(std::string("all/model.gguf/") + table));
    const auto second = parse_csv(bytes(std::string("all/other.gguf/") + table));
    ASSERT_EQ(rows.size(), expected.size() + second.size() - 1);
    const size_t first = expected.size();
    expected.insert(expected.end(), second.begin() + 1, second.end());
    for (size_t r = 0; r < rows.size(); ++r) {
      EXPECT_EQ(rows[r][0], r == 0 ? "model" : r < first ? "model.gguf" : "other.gguf");
      EXPECT_EQ(Words(rows[r].begin() + 1, rows[r].end()), expected[r]);
    }
  }
  const auto index = nlohmann::json::parse(bytes("all/models.json")).at("models");
  EXPECT_EQ(index.at(1).at("results"), "other.gguf/sweep.json");
  EXPECT_EQ(index.at(1).at("model").at("block_count"), 6);
  EXPECT_FALSE(fs::exists(path("all/partial.json")));
}

TEST_F(SweepModels, GoOnWithTheModelThatIsMissing) {
  ASSERT_EQ(sweep({model(), other()}, "whole").exit_code, 0);
  ASSERT_EQ(sweep({model(), other()}, "out").exit_code, 0);
  for (const char* file : {"out/models.json", "out/loss.csv", "out/other.gguf/sweep.json"})
    fs::remove(path(file));
  const auto before = fs::last_write_time(path("out/model.gguf/sweep.json"));
  const ChildOutput again = sweep({model(), other()}, "out");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("stands from before"));
  EXPECT_EQ(fs::last_write_time(path("out/model.gguf/sweep.json")), before);
  EXPECT_EQ(files("out"), files("whole"));

  // Not where anything that decides its numbers is another, nor where it was touched.
  EXPECT_THAT(sweep({model(), other()}, "out", {"--set", "statistics.draws=150"}).out,
              Not(HasSubstr("stands from before")));
  EXPECT_NE(files("out"), files("whole"));
  ASSERT_EQ(sweep({model(), other()}, "out").exit_code, 0);
  fixtures::put(path("out/model.gguf/sweep.json"), bytes("out/model.gguf/sweep.json") + " ");
  ASSERT_EQ(sweep({model(), other()}, "out").exit_code, 0);
  EXPECT_EQ(files("out"), files("whole"));
  EXPECT_THAT(sweep({model(), other()}, "out", {"--fresh"}).out,
              Not(HasSubstr("stands from before")));
}

TEST_F(SweepModels, SayWhatIsWrongWithAnyBeforeTheFirst) {
  const auto expect = [&](const Words& models, int code, const std::string& what) {
    const auto before = everything();
    const ChildOutput done = sweep(models, "none");
    EXPECT_EQ(done.exit_code, code) << done.err;
    EXPECT_THAT(done.err, HasSubstr(what));
    EXPECT_EQ(everything(), before) << what;
  };
  fs::create_directories(path("below"));
  fs::copy_file(model(), path("below/model.gguf"));
  fixtures::put(path("broken.gguf"), "GGUF, or so");
  expect({model(), path("below/model.gguf")}, 2, "would both be written to 'model.gguf'");
  expect({model(), path("broken.gguf")}, 4, "broken.gguf");
  expect({model(), path("absent.gguf")}, 4, "absent.gguf");
}

TEST_F(SweepModels, GiveOneObjectToScripts) {
  const ChildOutput done = sweep({model(), other()}, "out", {"--format", "json"});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const auto json = nlohmann::json::parse(done.out);
  ASSERT_EQ(json.at("models").size(), 2u);
  EXPECT_EQ(json.at("models").at(0).at("label"), "model.gguf");
  EXPECT_EQ(json.at("models").at(0).at("sweep").at("losses").size(), 6u);
}

}  // namespace
}  // namespace plumb::harness::testing
