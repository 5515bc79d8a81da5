#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/formats/safetensors.h"
#include "models/tokenizer/tokenizer.h"
#include "pruning/apply.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using fixtures::put;
using fixtures::tiny_decoder;
using models::Checkpoint;
using models::Decoder;
using models::Dtype;
using models::StoredType;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Wide enough for whole storage blocks of every type.
fixtures::TinyDecoderOptions options(bool tied, uint64_t seed = 1) {
  fixtures::TinyDecoderOptions wide;
  wide.block_count = 5;
  wide.width = 256;
  wide.head_count = 4;
  wide.feed_forward_width = 256;
  wide.tied_embeddings = tied;
  wide.seed = seed;
  return wide;
}

PruningPlan plan_of(std::vector<int64_t> removed) {
  return {5, std::move(removed), "explicit", "test"};
}

at::Tensor logits_of(const Decoder& decoder) {
  at::Tensor x = decoder.embed(at::arange(0, 34 * 7, 7).view({2, 17}));
  for (int64_t i = 0; i < decoder.block_count(); ++i) decoder.run_block_in_place(i, x);
  return decoder.logits(x).contiguous();
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

nlohmann::json json_of(const fs::path& path) { return nlohmann::json::parse(read_file(path)); }

/// Every kind of source, each as a GGUF and, where safetensors has the type, as a folder.
struct Source {
  StoredType type;
  bool folder;
};
void PrintTo(const Source& source, std::ostream* out) {
  *out << models::stored_type_name(source.type) << (source.folder ? " folder" : " GGUF");
}

class WrittenFrom : public ::testing::TestWithParam<std::tuple<Source, bool>> {
 protected:
  StoredType type() const { return std::get<0>(GetParam()).type; }
  bool quantised() const { return models::block_layout(type()).values > 1; }
  bool tied() const { return std::get<1>(GetParam()); }

  Checkpoint open_model() {
    const Decoder decoder = tiny_decoder(options(tied()));
    if (std::get<0>(GetParam()).folder) {
      model_ = folder_ / "model";
      fixtures::write_tiny_folder(model_, decoder, type(), 2);
    } else {
      model_ = folder_ / "model.gguf";
      put(model_, fixtures::tiny_gguf(decoder, type()).bytes());
    }
    return Checkpoint::open(model_);
  }

  TemporaryFolder folder_;
  fs::path model_;
};

TEST_P(WrittenFrom, GivesTheLogitsOfTheDecoderPrunedInMemoryToTheLastBit) {
  const Checkpoint checkpoint = open_model();
  int number = 0;
  for (const auto& removed : {std::vector<int64_t>{}, {1, 2}, {0, 2, 4}}) {
    const PruningPlan plan = plan_of(removed);
    for (const uint64_t shard_bytes : {uint64_t{1} << 30, uint64_t{700'000}}) {
      const fs::path out = folder_ / text("out", number++);
      EXPECT_EQ(write_pruned(checkpoint, model_, plan, out, false, shard_bytes), 0.0);
      const Checkpoint written = Checkpoint::open(out);
      EXPECT_EQ(written.config().block_count, 5 - plan.removed_count());
      EXPECT_EQ(written.config().tied_embeddings, tied());
      for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16})
        EXPECT_TRUE(same_bits(logits_of(Decoder::load(written, dtype)),
                              logits_of(apply(Decoder::load(checkpoint, dtype), plan))))
            << plan.removed_text() << " in shards of " << shard_bytes;
    }
  }
}

TEST_P(WrittenFrom, KeepsEveryBitOfWhatIsNotQuantised) {
  const Checkpoint checkpoint = open_model();
  write_pruned(checkpoint, model_, plan_of({1, 3}), folder_ / "out");
  const Checkpoint written = Checkpoint::open(folder_ / "out");
  const auto kept = plan_of({1, 3}).kept();
  const auto expect_same = [&](models::Role role, int64_t before, int64_t after) {
    const auto from = checkpoint.find(role, before), to = written.find(role, after);
    ASSERT_EQ(from.has_value(), to.has_value());
    if (!from) return;
    const bool decoded = models::block_layout(from->type).values > 1;
    EXPECT_EQ(to->type, decoded ? StoredType::kF32 : from->type) << to->name;
    // `load` undoes GGUF's order of rows; a type's fp32 is one to one.
    EXPECT_TRUE(same_bits(checkpoint.load(role, before, at::kFloat),
                          written.load_stored(*to).to(at::kFloat)))
        << to->name;
  };
  for (const auto& row : checkpoint.architecture().tensors)
    if (row.role < models::Role::kAttentionNorm)
      expect_same(row.role, -1, -1);
    else
      for (size_t i = 0; i < kept.size(); ++i)
        expect_same(row.role, kept[i], static_cast<int64_t>(i));
}

TEST_P(WrittenFrom, SaysWhatWasLostToBf16) {
  const Checkpoint checkpoint = open_model();
  const double error = write_pruned(checkpoint, model_, plan_of({4}), folder_ / "out", true);
  const Checkpoint written = Checkpoint::open(folder_ / "out");
  EXPECT_EQ(json_of(folder_ / "out/plumb.json").at("largest_rounding_error").get<double>(), error);
  double largest = 0;
  for (const auto& row : checkpoint.architecture().tensors) {
    const int64_t block = row.role < models::Role::kAttentionNorm ? -1 : 3;
    const auto from = checkpoint.find(row.role, block);
    if (!from) continue;
    const auto to = *written.find(row.role, block);
    const bool decoded = models::block_layout(from->type).values > 1;
    EXPECT_EQ(to.type, decoded ? StoredType::kBf16 : from->type);
    const at::Tensor exact = checkpoint.load(row.role, block, at::kFloat).view(-1);
    const at::Tensor stored = written.load(row.role, block, at::kFloat).view(-1);
    for (int64_t i = 0; i < exact.numel(); ++i) {
      const double value = exact.const_data_ptr<float>()[i];
      const double off = std::abs(value - static_cast<double>(stored.const_data_ptr<float>()[i]));
      // bf16 has 8 significant bits: half a unit of the last is at most 2^-8 of the value.
      EXPECT_LE(off, std::abs(value) * 0x1p-8) << to.name << " " << i;
      largest = std::max(largest, off);
    }
  }
  EXPECT_LE(largest, error);  // over the blocks not looked at, too
  if (!quantised()) {
    EXPECT_EQ(error, 0.0);
  } else {
    EXPECT_GT(error, 0.0);  // an fp16 scale alone has more bits than bf16
  }
}

constexpr StoredType kAll[] = {StoredType::kF32,  StoredType::kF16,  StoredType::kBf16,
                               StoredType::kQ8_0, StoredType::kQ4_0, StoredType::kQ4_1,
                               StoredType::kQ5_0, StoredType::kQ5_1, StoredType::kQ4_K,
                               StoredType::kQ5_K, StoredType::kQ6_K};
std::vector<Source> sources() {
  std::vector<Source> all;
  for (const StoredType type : kAll) {
    all.push_back({type, false});
    if (models::block_layout(type).values == 1) all.push_back({type, true});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Types, WrittenFrom,
                         ::testing::Combine(::testing::ValuesIn(sources()), ::testing::Bool()));

class WritePruned : public ::testing::Test {
 protected:
  void SetUp() override { put(model_, fixtures::tiny_gguf(decoder_, StoredType::kQ8_0).bytes()); }
  TemporaryFolder folder_;
  Decoder decoder_ = tiny_decoder(options(true));
  fs::path model_ = folder_ / "model.gguf";
  fs::path out_ = folder_ / "out";
};

TEST_F(WritePruned, CutsShardsAtTheirLimitAndIndexesAllOfThem) {
  const Checkpoint checkpoint = Checkpoint::open(model_);
  constexpr uint64_t kLimit = 600'000;
  write_pruned(checkpoint, model_, plan_of({2}), out_, false, kLimit);
  const auto index = json_of(out_ / "model.safetensors.index.json");
  uint64_t total = 0;
  size_t tensors = 0;
  std::set<std::string> files;
  for (const auto& [tensor, file] : index.at("weight_map").items()) files.insert(file);
  EXPECT_GT(files.size(), 3u);
  for (const std::string& file : files) {
    EXPECT_THAT(file, ::testing::MatchesRegex("model-[0-9]{5}-of-[0-9]{5}.safetensors"));
    const MappedFile shard(out_ / file);
    const auto header = models::parse_safetensors(shard.bytes());
    uint64_t bytes = 0;
    for (const auto& entry : header.tensors) {
      bytes += entry.size_bytes();
      EXPECT_EQ(index["weight_map"].at(entry.name), file);
    }
    EXPECT_TRUE(bytes <= kLimit || header.tensors.size() == 1) << bytes;
    total += bytes;
    tensors += header.tensors.size();
  }
  EXPECT_EQ(index.at("metadata").at("total_size"), total);
  EXPECT_EQ(index.at("weight_map").size(), tensors);
  EXPECT_FALSE(fs::exists(out_ / "model.safetensors"));
}

TEST_F(WritePruned, SaysWhichBlocksWentAndFromWhichFile) {
  const Checkpoint checkpoint = Checkpoint::open(model_);
  write_pruned(checkpoint, model_, plan_of({1, 3}), out_);
  const auto said = json_of(out_ / "plumb.json");
  EXPECT_EQ(said.at("removed"), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(said.at("original_indices"), (std::vector<int64_t>{0, 2, 4}));
  EXPECT_EQ(said.at("base").at("sha256"), sha256_of_file(model_));
  EXPECT_EQ(said.at("base").at("files"), std::vector<std::string>{"model.gguf"});
  EXPECT_THAT(read_file(out_ / "plumb.json"), ::testing::Not(HasSubstr(folder_.path().string())));
  EXPECT_EQ(Checkpoint::open(out_).config().license, "Apache-2.0");
}

TEST_F(WritePruned, CarriesTheTokenizerOfAGgufOver) {
  write_pruned(Checkpoint::open(model_), model_, plan_of({1}), out_);
  const std::string words = "Any text: \xC3\xA9 1234\n\n  end";
  EXPECT_EQ(models::Tokenizer::open(out_).encode(words),
            models::Tokenizer::open(model_).encode(words));
  const auto map = json_of(out_ / "special_tokens_map.json");
  const auto config = json_of(out_ / "tokenizer_config.json");
  EXPECT_EQ(map.at("eos_token"), config.at("eos_token"));
  EXPECT_EQ(json_of(out_ / "generation_config.json").at("eos_token_id"), 1);
}

TEST_F(WritePruned, CopiesTheTokenizerOfAFolderByteForByteAndNothingStrange) {
  const fs::path model = folder_ / "model";
  fixtures::write_tiny_folder(model, decoder_, StoredType::kF16, 1, "any bytes \xFF");
  put(model / "generation_config.json", "{\"x\": 1}");
  put(model / "LICENSE", "words");
  put(model / "evil.py", "import os");
  put(model / "old.bin", "pickle");
  write_pruned(Checkpoint::open(model), model, plan_of({1}), out_);
  for (const char* name : {"tokenizer.json", "generation_config.json", "LICENSE"})
    EXPECT_EQ(read_file(out_ / name), read_file(model / name)) << name;
  EXPECT_FALSE(fs::exists(out_ / "evil.py") || fs::exists(out_ / "old.bin"));
}

TEST_F(WritePruned, CutsListsThatHaveOneEntryABlock) {
  const fs::path model = folder_ / "model";
  fixtures::write_tiny_folder(model, decoder_, StoredType::kF32);
  auto config = json_of(model / "config.json");
  config["layer_kinds"] = {"a", "b", "c", "d", "e"};
  config["mlp_only_layers"] = {0, 3, 4};
  config["of_no_meaning_here"] = {1, 2};
  put(model / "config.json", config.dump());
  write_pruned(Checkpoint::open(model), model, plan_of({1, 3}), out_);
  const auto written = json_of(out_ / "config.json");
  EXPECT_EQ(written.at("layer_kinds"), (std::vector<std::string>{"a", "c", "e"}));
  EXPECT_EQ(written.at("mlp_only_layers"), (std::vector<int>{0, 2}));
  EXPECT_EQ(written.at("of_no_meaning_here"), config["of_no_meaning_here"]);
  EXPECT_EQ(written.at("num_hidden_layers"), 3);
  config["layer_kinds"] = {"a", "b"};
  put(model / "config.json", config.dump());
  const Error error = error_of(
      [&] { write_pruned(Checkpoint::open(model), model, plan_of({1}), folder_ / "other"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("'layer_kinds' has 2 entries for 5 blocks"));
}

TEST_F(WritePruned, OfAPrunedModelIsThatOfBothPlansAtOnce) {
  write_pruned(Checkpoint::open(model_), model_, plan_of({1, 3}), folder_ / "once");
  write_pruned(Checkpoint::open(folder_ / "once"), folder_ / "once", {3, {1}, "explicit", "test"},
               out_);
  const auto both =
      apply(Decoder::load(Checkpoint::open(model_), Dtype::kFp32), plan_of({1, 2, 3}));
  EXPECT_TRUE(
      same_bits(logits_of(Decoder::load(Checkpoint::open(out_), Dtype::kFp32)), logits_of(both)));
}

TEST_F(WritePruned, RefusesAPlanOfAnotherModelAndAFolderThatIsThere) {
  const Checkpoint checkpoint = Checkpoint::open(model_);
  const auto refusal = [&](const PruningPlan& plan, const fs::path& out) {
    const Error error = error_of([&] { write_pruned(checkpoint, model_, plan, out); });
    EXPECT_EQ(error.kind(), ErrorKind::kUsage) << error.what();
    return std::string(error.what());
  };
  EXPECT_THAT(refusal({6, {1}, "explicit", ""}, out_), HasSubstr("6 blocks, but this one has 5"));
  EXPECT_THAT(refusal(plan_of({0, 1, 2, 3, 4}), out_), HasSubstr("at least one must stay"));
  EXPECT_THAT(refusal(plan_of({1}), folder_.path()), HasSubstr("not empty"));
  EXPECT_THAT(refusal(plan_of({1}), model_), HasSubstr("no folder"));
  EXPECT_EQ(entries(folder_.path()), 1u);
}

TEST_F(WritePruned, LeavesNothingWhereTheParentCannotBeWritten) {
  const Error error = error_of([&] {
    write_pruned(Checkpoint::open(model_), model_, plan_of({1}), model_ / "below" / "a" / "file");
  });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_EQ(entries(folder_.path()), 1u);
}

TEST_F(WritePruned, LeavesNothingOnAFullDisk) {
  const Checkpoint checkpoint = Checkpoint::open(model_);
  for (const uint64_t limit : {uint64_t{0}, uint64_t{4096}, uint64_t{3} << 20}) {
    const testing::FileSizeLimit full(limit);
    const Error error = error_of([&] { write_pruned(checkpoint, model_, plan_of({1}), out_); });
    EXPECT_EQ(error.kind(), ErrorKind::kResource) << error.what();
    EXPECT_EQ(entries(folder_.path()), 1u);
  }
  write_pruned(checkpoint, model_, plan_of({1}), out_);  // the same is written where there is room
}

TEST_F(WritePruned, LeavesNothingWhereItIsStoppedAtAnyMoment) {
  struct Stop {};
  const Checkpoint checkpoint = Checkpoint::open(model_);
  int moments = 0;
  write_pruned(checkpoint, model_, plan_of({0, 1, 2}), out_, false, 700'000, [&] { ++moments; });
  fs::remove_all(out_);
  EXPECT_GT(moments, 20);
  for (int stop = 0; stop < moments; ++stop) {
    int left = stop;
    const auto between = [&] {
      if (left-- == 0) throw Stop{};
    };
    EXPECT_THROW(
        write_pruned(checkpoint, model_, plan_of({0, 1, 2}), out_, false, 700'000, between), Stop);
    ASSERT_EQ(entries(folder_.path()), 1u) << "stopped at " << stop;
  }
}

TEST_F(WritePruned, RefusesWeightsThatAreNotFiniteAndLeavesNothing) {
  const fs::path model = folder_ / "model";
  auto tensors = fixtures::tiny_tensors(decoder_, StoredType::kBf16);
  const auto bad = std::ranges::find(tensors, "model.layers.3.mlp.up_proj.weight",
                                     &fixtures::SafetensorsTensor::name);
  ASSERT_NE(bad, tensors.end());
  bad->bytes.replace(2 * (256 * 9 + 4), 2, "\x80\x7f");  // +infinity in bf16
  put(model / "config.json", fixtures::tiny_config_json(decoder_));
  put(model / "model.safetensors", fixtures::safetensors_bytes(tensors));
  const Checkpoint checkpoint = Checkpoint::open(model);
  const Error error = error_of([&] { write_pruned(checkpoint, model, plan_of({1}), out_); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("'model.layers.3.mlp.up_proj.weight' holds 1 values"));
  EXPECT_THAT(error.what(), HasSubstr("index 2308 (row 9, column 4)"));
  EXPECT_FALSE(fs::exists(out_));
  write_pruned(checkpoint, model, plan_of({3}), out_);  // the block that has it goes
}

TEST_F(WritePruned, RefusesATokenizerThatItCannotCarryOver) {
  auto file = fixtures::tiny_gguf(decoder_, StoredType::kF16);
  file.field("tokenizer.ggml.pre") = fixtures::gguf_text("never-heard-of");
  put(model_, file.bytes());
  const Error error =
      error_of([&] { write_pruned(Checkpoint::open(model_), model_, plan_of({1}), out_); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("never-heard-of"));
  std::erase_if(file.metadata,
                [](const auto& pair) { return pair.first.starts_with("tokenizer"); });
  put(model_, file.bytes());
  write_pruned(Checkpoint::open(model_), model_, plan_of({1}), out_);
  EXPECT_FALSE(fs::exists(out_ / "tokenizer.json"));
}

}  // namespace
}  // namespace plumb::pruning
