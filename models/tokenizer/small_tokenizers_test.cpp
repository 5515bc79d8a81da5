#include <gtest/gtest.h>

#include "base/testing.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using testing::golden;

// One small tokenizer.json of the reference: every normaliser, pre-tokenizer, flag of added tokens
// and template that Plumb reads.
class SmallTokenizer : public ::testing::TestWithParam<size_t> {
 protected:
  const json& case_ = golden().at("small").at("cases").at(GetParam());
  const json& texts_ = golden().at("small").at("texts").at(case_.at("texts").get<std::string>());

  Tokenizer tokenizer() const {
    json whole = case_.at("rest");
    whole["model"] = golden().at("small").at("models").at(case_.at("model").get<std::string>());
    write_file_atomically(folder_ / "tokenizer.json", whole.dump());
    return Tokenizer::open(folder_.path());
  }
  void expect_reference(const Tokenizer& tokenizer) const {
    for (size_t i = 0; i < texts_.size(); ++i) {
      const auto text = texts_.at(i).get<std::string>();
      const std::string about = case_.at("name").get<std::string>() + ": " + text;
      EXPECT_EQ(json(tokenizer.encode(text)), case_.at("ids").at(i)) << about;
      if (!case_.at("with_special").empty()) {
        EXPECT_EQ(json(tokenizer.encode(text, true)), case_.at("with_special").at(i)) << about;
      }
    }
  }

 private:
  plumb::testing::TemporaryFolder folder_;
};

TEST_P(SmallTokenizer, GivesTheReferencesIds) { expect_reference(tokenizer()); }

INSTANTIATE_TEST_SUITE_P(Golden, SmallTokenizer, ::testing::Range<size_t>(0, 43));

TEST(SmallTokenizers, AreAllTested) { EXPECT_EQ(golden().at("small").at("cases").size(), 43u); }

}  // namespace
}  // namespace plumb::models
