#include <gmock/gmock.h>

#include <functional>

#include "base/testing.h"
#include "models/tokenizer/sources.h"
#include "models/tokenizer/testing.h"

namespace plumb::models {
namespace {

using nlohmann::json;
using plumb::testing::error_of;
using plumb::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

json small() {
  json whole = testing::golden().at("small").at("cases").at(0).at("rest");
  whole["model"] = testing::golden().at("small").at("models").at("all bytes");
  return whole;
}

// The message about small() after `change`.
std::string refusal(const std::function<void(json&)>& change) {
  json whole = small();
  change(whole);
  const Error error = error_of([&] { require_consistent(definition_from_json(whole.dump(), "")); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
  return error.what();
}

json added(const char* content, int id) { return {{"id", id}, {"content", content}}; }

TEST(TokenizerJson, ReadsMergesAsPairsAndAsTheOlderStrings) {
  json whole = small();
  const auto pairs = definition_from_json(whole.dump(), "");
  for (json& merge : whole["model"]["merges"])
    merge = merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>();
  const auto strings = definition_from_json(whole.dump(), "");
  ASSERT_EQ(pairs.merges.size(), strings.merges.size());
  for (size_t i = 0; i < pairs.merges.size(); ++i) {
    EXPECT_EQ(pairs.merges[i].left, strings.merges[i].left);
    EXPECT_EQ(pairs.merges[i].right, strings.merges[i].right);
  }
}

TEST(TokenizerJson, KeepsTheFilesBytes) {
  const std::string bytes = small().dump(3) + "\n\n";
  EXPECT_EQ(definition_from_json(bytes, "").json, bytes);
}

TEST(TokenizerJson, NamesTokensThatShareAnIdOrLeaveAHole) {
  EXPECT_THAT(refusal([](json& t) { t["model"]["vocab"]["the"] = 5; }),
              AllOf(HasSubstr("share id 5"), HasSubstr("'the'")));
  EXPECT_THAT(
      refusal([](json& t) { t["model"]["vocab"]["new"] = 4000; }),
      HasSubstr("token 'new' has id 4000 in a vocabulary of 276; ids must not leave holes"));
  for (const json& id : {json(-1), json("7"), json(1.5), json(), json(int64_t{1} << 40)})
    EXPECT_THAT(refusal([&](json& t) { t["model"]["vocab"]["the"] = id; }),
                HasSubstr("is not a token id"));
}

TEST(TokenizerJson, NamesTheMergeThatIsWrong) {
  EXPECT_THAT(refusal([](json& t) {
                t["model"]["merges"][2] = {"he", "x"};
              }),
              HasSubstr("merge 2 ('he' 'x') needs token 'hex'"));
  for (const json& merge : {json("the"), json("t h e"), json(3), json::array({"t"}),
                            json::array({"t", "h", "e"}), json::array({"t", 1}), json()})
    EXPECT_THAT(refusal([&](json& t) { t["model"]["merges"][2] = merge; }),
                HasSubstr("merge 2 must be two tokens, found"));
}

TEST(TokenizerJson, RefusesModelsThatAreNotByteLevelBpe) {
  EXPECT_THAT(refusal([](json& t) { t["model"]["type"] = "Unigram"; }),
              HasSubstr("type 'Unigram' is not supported"));
  EXPECT_THAT(refusal([](json& t) { t["model"]["dropout"] = 0.1; }), HasSubstr("dropout"));
  EXPECT_THAT(refusal([](json& t) { t["model"]["byte_fallback"] = true; }),
              HasSubstr("byte_fallback"));
  EXPECT_THAT(refusal([](json& t) { t["model"]["end_of_word_suffix"] = "</w>"; }),
              HasSubstr("'end_of_word_suffix' is not supported"));
  EXPECT_THAT(refusal([](json& t) { t["model"]["unk_token"] = "<none>"; }),
              HasSubstr("unk_token '<none>' is not in the vocabulary"));
  EXPECT_THAT(refusal([](json& t) {
                t["decoder"] = {{"type", "Metaspace"}};
              }),
              EndsWith("type 'Metaspace' does not go with a pre-tokenizer that has ByteLevel"));
}

TEST(TokenizerJson, NamesTheStepThatItDoesNotKnowAndTheOnesItKnows) {
  EXPECT_THAT(refusal([](json& t) {
                t["pre_tokenizer"] = {{"type", "Whitespace"}};
              }),
              EndsWith("type 'Whitespace' is not supported; Plumb knows Sequence, ByteLevel, "
                       "Digits, Split and Metaspace"));
  EXPECT_THAT(refusal([](json& t) {
                t["normalizer"] = {{"type", "Lowercase"}};
              }),
              HasSubstr("type 'Lowercase' is not supported; Plumb knows Sequence, NFC, Prepend, "
                        "Replace and none"));
  EXPECT_THAT(refusal([](json& t) {
                t["post_processor"] = {{"type", "BertProcessing"}};
              }),
              HasSubstr("Plumb knows TemplateProcessing, ByteLevel and Sequence"));
  EXPECT_THAT(refusal([](json& t) { t["pre_tokenizer"] = nullptr; }),
              HasSubstr("type 'ByteLevel' does not go with a pre-tokenizer without"));
  EXPECT_THAT(refusal([](json& t) {
                t["pre_tokenizer"] = {
                    {"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "Sideways"}};
              }),
              HasSubstr("behavior 'Sideways' is not known"));
}

TEST(TokenizerJson, HoldsAddedTokensAgainstTheVocabulary) {
  EXPECT_THAT(refusal([](json& t) { t["added_tokens"] = {added("the", 9)}; }),
              HasSubstr("added token 'the' has id 9, but the vocabulary gives it id"));
  EXPECT_THAT(refusal([](json& t) { t["added_tokens"] = {added("<x>", 9)}; }),
              HasSubstr("added token '<x>' has id 9, but the vocabulary holds '"));
  EXPECT_THAT(refusal([](json& t) {
                t["added_tokens"] = {added("<x>", 275), added("<y>", 277)};
              }),
              HasSubstr("'<y>' has id 277 where 276 is the next free one"));
}

TEST(TokenizerJson, RefusesJsonThatTwoReadersCouldReadDifferently) {
  const auto message = [](const std::string& bytes) {
    return std::string(error_of([&] { definition_from_json(bytes, ""); }).what());
  };
  EXPECT_EQ(message("{\"a\": 1, \"b\": 2, \"a\": 3}"),
            "the JSON has key 'a' twice in an object; the file is damaged or badly converted: "
            "fetch it again");
  EXPECT_THAT(message("{\"model\": "), HasSubstr("not valid JSON at byte"));
  EXPECT_THAT(message("{} x"), HasSubstr("not valid JSON at byte"));
  EXPECT_EQ(message(std::string(65, '[') + std::string(65, ']')),
            "the JSON is nested deeper than 64 levels; the file is damaged or badly converted: "
            "fetch it again");
  EXPECT_THAT(message("[]"), HasSubstr("an object is needed, found array"));
  EXPECT_THAT(message("\"\xFF\""), HasSubstr("not valid JSON"));
  EXPECT_THAT(message(""), HasSubstr("not valid JSON"));
}

// Cut anywhere, the file is refused: it never crashes and never reads as something else.
TEST(TokenizerJson, IsRefusedWhereverItIsCut) {
  const std::string whole = small().dump();
  for (size_t length = 0; length < whole.size(); length += 13) {
    EXPECT_EQ(error_of([&] { definition_from_json(whole.substr(0, length), ""); }).kind(),
              ErrorKind::kInput)
        << length;
  }
}

// Every member, replaced by a value of another type, is read as before or refused in one line.
TEST(TokenizerJson, TakesAnyValueAnywhereWithoutACrash) {
  const json whole = small();
  const std::vector<json> others = {json(), 1, -1, "x", true, json::array(), json::object(), 1e300};
  size_t refused = 0;
  const json flat = whole.flatten();
  for (const auto& [path, value] : flat.items()) {
    if (path.starts_with("/model/vocab/") && path.size() < 16) continue;  // 258 alike
    for (const json& other : others) {
      json changed = whole;
      changed[json::json_pointer(path)] = other;
      try {
        require_consistent(definition_from_json(changed.dump(), ""));
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(error.kind(), ErrorKind::kInput) << path;
        EXPECT_THAT(error.what(), Not(HasSubstr("\n"))) << path;
      }
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(TokenizerJson, TakesSpecialsAndChatTemplateFromTheConfigBesideIt) {
  json whole = small();
  whole["added_tokens"] = {added("<s>", 276)};
  const json config = {{"bos_token", {{"content", "<s>"}}},
                       {"eos_token", "the"},
                       {"unk_token", "nowhere"},
                       {"chat_template", "{{ t }}"}};
  const auto definition = definition_from_json(whole.dump(), config.dump());
  EXPECT_EQ(definition.bos, 276);
  EXPECT_EQ(definition.token(definition.eos.value()), "the");
  EXPECT_EQ(definition.unk, std::nullopt);
  EXPECT_EQ(definition.pad, std::nullopt);
  EXPECT_EQ(definition.chat_template, "{{ t }}");
}

TEST(TokenizerOpen, NamesTheFileAndWhatIsNeeded) {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name) {
    return std::string(error_of([&] { Tokenizer::open(folder / name); }).what());
  };
  EXPECT_THAT(message("."),
              HasSubstr("one of tokenizer.json, tokenizer.model, qwen.tiktoken is needed"));
  write_file_atomically(folder / "tokenizer.model", "x");
  EXPECT_THAT(message("tokenizer.model"), HasSubstr("not a SentencePiece model"));
  EXPECT_EQ(message("."), message("tokenizer.model"));
  write_file_atomically(folder / "tokenizer.json", "{}");
  EXPECT_EQ(message("."), "tokenizer.json: tokenizer: 'model' is missing");
  write_file_atomically(folder / "model.gguf", "GGUF, but no more");
  EXPECT_THAT(message("model.gguf"), HasSubstr("model.gguf: "));
  EXPECT_THAT(message("absent.gguf"), HasSubstr("absent.gguf"));
}

TEST(TokenizerOpen, TakesTheTokenizerOfTheFolderForAModelFileInIt) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "tokenizer.json", small().dump());
  write_file_atomically(folder / "model.safetensors", "not read");
  EXPECT_EQ(Tokenizer::open(folder / "model.safetensors").vocabulary_size(),
            Tokenizer::open(folder.path()).vocabulary_size());
}

}  // namespace
}  // namespace plumb::models
