#include <gtest/gtest.h>

#include "base/testing.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using testing::golden;

// The tokenizer.json of one of the reference's small tokenizers.
Tokenizer tokenizer_of(const json& small) {
  json whole = small.at("rest");
  whole["model"] = golden().at("small").at("models").at(small.at("model").get<std::string>());
  const plumb::testing::TemporaryFolder folder;
  write_file_atomically(folder / "tokenizer.json", whole.dump());
  return Tokenizer::open(folder.path());
}

// Every normaliser, pre-tokenizer, behaviour of a split, flag of an added token, way with unknown
// bytes and template that Plumb reads.
TEST(SmallTokenizersGolden, GiveTheReferencesIdsInEveryConfiguration) {
  const json& cases = golden().at("small").at("cases");
  EXPECT_EQ(cases.size(), 43u);
  for (const json& small : cases) {
    const Tokenizer tokenizer = tokenizer_of(small);
    const json& texts = golden().at("small").at("texts").at(small.at("texts").get<std::string>());
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto text = texts.at(i).get<std::string>();
      const std::string about = small.at("name").get<std::string>() + ": " + text;
      EXPECT_EQ(json(tokenizer.encode(text)), small.at("ids").at(i)) << about;
      if (!small.at("with_special").empty()) {
        EXPECT_EQ(json(tokenizer.encode(text, true)), small.at("with_special").at(i)) << about;
      }
    }
  }
}

}  // namespace
}  // namespace plumb::models
