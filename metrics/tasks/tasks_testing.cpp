#include "metrics/tasks/tasks_testing.h"

#include "models/tokenizer/byte_alphabet.h"

namespace plumb::metrics::testing {

models::Tokenizer byte_tokenizer(const std::vector<std::string>& merges, bool bos) {
  const auto symbols = [](const std::string& bytes) {
    std::string out;
    for (const char byte : bytes) out += models::byte_symbol(static_cast<uint8_t>(byte));
    return out;
  };
  Json vocabulary = Json::object(), pairs = Json::array();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[models::byte_symbol(static_cast<uint8_t>(byte))] = byte;
  for (const std::string& merge : merges) {
    const size_t bar = merge.find('|');
    const std::string left = symbols(merge.substr(0, bar)), right = symbols(merge.substr(bar + 1));
    vocabulary[left + right] = vocabulary.size();
    pairs.push_back(Json::array({left, right}));
  }
  Json json = {{"version", "1.0"},
               {"truncation", nullptr},
               {"padding", nullptr},
               {"added_tokens", Json::array()},
               {"normalizer", nullptr},
               {"pre_tokenizer",
                {{"type", "ByteLevel"},
                 {"add_prefix_space", false},
                 {"trim_offsets", true},
                 {"use_regex", false}}},
               {"post_processor", nullptr},
               {"decoder", {{"type", "ByteLevel"}}},
               {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", pairs}}}};
  if (bos) {
    const size_t id = vocabulary.size();
    json["added_tokens"].push_back({{"id", id},
                                    {"content", "<s>"},
                                    {"single_word", false},
                                    {"lstrip", false},
                                    {"rstrip", false},
                                    {"normalized", false},
                                    {"special", true}});
    json["post_processor"] = Json::parse(
        R"({"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [], "tokens": ["<s>"]}}})");
    json["post_processor"]["special_tokens"]["<s>"]["ids"].push_back(id);
  }
  const plumb::testing::TemporaryFolder folder;
  write_file_atomically(folder / "tokenizer.json", json.dump());
  return models::Tokenizer::open(folder.path());
}

}  // namespace plumb::metrics::testing
