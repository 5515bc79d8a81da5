// A pruned model as one GGUF file: read back by Plumb, and by the gguf package.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/testing.h"
#include "fixtures/formats/golden_model.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/formats/gguf_writer.h"
#include "models/tokenizer/tokenizer.h"
#include "pruning/apply.h"

namespace plumb::pruning {
namespace {

namespace fs = std::filesystem;
using fixtures::put;
using models::Checkpoint;
using models::Decoder;
using models::Dtype;
using models::Role;
using models::StoredType;
using nlohmann::json;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

const std::string kGolden = std::string(PLUMB_SOURCE_DIR) + "/fixtures/golden/";

const fixtures::GoldenArchitectures& golden_file() {
  static const fixtures::GoldenArchitectures golden(kGolden + "architectures.json");
  return golden;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

/// Wide enough for whole storage blocks of every type.
Decoder tiny(bool tied = false) {
  fixtures::TinyDecoderOptions wide;
  wide.block_count = 5;
  wide.width = 256;
  wide.head_count = 4;
  wide.feed_forward_width = 256;
  wide.tied_embeddings = tied;
  return fixtures::tiny_decoder(wide);
}

PruningPlan plan_of(std::vector<int64_t> removed) {
  return {5, std::move(removed), "explicit", "test"};
}

at::Tensor tokens() { return at::arange(0, 34 * 7, 7).view({2, 17}); }

std::string stored_bytes(const Checkpoint& checkpoint, const models::TensorEntry& entry) {
  std::string bytes(entry.size_bytes(), '\0');
  checkpoint.read_stored(entry, 0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

/// Adds a constant to the down projection of one block of the pruned model.
WeightChange add_to_down(int64_t block, double value) {
  const auto touches = [block](Role role, int64_t of) {
    return role == Role::kDown && of == block;
  };
  return {touches, [=](Role role, int64_t of, int64_t, const at::Tensor& values) {
            if (touches(role, of)) values.add_(value);
          }};
}

class PrunedGguf : public ::testing::TestWithParam<StoredType> {
 protected:
  Checkpoint open_model(bool tied = false) {
    put(model(), fixtures::tiny_gguf(tiny(tied), GetParam()).bytes());
    return Checkpoint::open(model());
  }
  fs::path model() const { return folder_ / "model.gguf"; }
  fs::path out() const { return folder_ / "out.gguf"; }
  Checkpoint write(const Checkpoint& checkpoint, const PruningPlan& plan, bool bf16 = false,
                   const WeightChange& change = {}) {
    error_ = write_pruned_gguf(checkpoint, model(), plan, out(), bf16, {}, {}, change);
    return Checkpoint::open(out());
  }

  TemporaryFolder folder_;
  double error_ = 0;
};

TEST_P(PrunedGguf, HoldsTheBlocksThatStayByteForByte) {
  for (const bool tied : {false, true}) {
    fs::remove(out());
    const Checkpoint checkpoint = open_model(tied);
    const PruningPlan plan = plan_of({0, 2});
    const Checkpoint written = write(checkpoint, plan);
    EXPECT_EQ(error_, 0.0);
    EXPECT_EQ(written.config().block_count, 3);
    EXPECT_EQ(written.config().tied_embeddings, tied);
    const auto kept = plan.kept();
    for (const auto& row : checkpoint.architecture().tensors)
      for (size_t i = 0; i < (models::per_block(row.role) ? kept.size() : 1); ++i) {
        const bool block = models::per_block(row.role);
        const auto from = checkpoint.find(row.role, block ? kept[i] : -1);
        const auto to = written.find(row.role, block ? static_cast<int64_t>(i) : -1);
        ASSERT_EQ(from.has_value(), to.has_value());
        if (!from) continue;
        EXPECT_EQ(from->type, to->type);
        EXPECT_EQ(to->begin % 32, 0u);
        EXPECT_TRUE(stored_bytes(checkpoint, *from) == stored_bytes(written, *to)) << to->name;
      }
    for (const Dtype dtype : {Dtype::kFp32, Dtype::kBf16})
      EXPECT_TRUE(
          same_bits(fixtures::logits_of(Decoder::load(written, dtype), tokens()),
                    fixtures::logits_of(apply(Decoder::load(checkpoint, dtype), plan), tokens())));
  }
}

TEST_P(PrunedGguf, DecodesWhatAChangeTouchesAndNothingElse) {
  const Checkpoint checkpoint = open_model();
  const bool quantised = models::block_layout(GetParam()).values > 1;
  const Checkpoint written = write(checkpoint, plan_of({1}), false, add_to_down(2, 0.5));
  for (int64_t block = 0; block < 4; ++block) {
    const auto down = written.find(Role::kDown, block), up = written.find(Role::kUp, block);
    EXPECT_EQ(up->type, GetParam());
    EXPECT_EQ(down->type, block == 2 && quantised ? StoredType::kF32 : GetParam());
  }
  at::Tensor needed = checkpoint.load(Role::kDown, 3, at::kFloat) + 0.5;
  if (!quantised)
    needed = needed
                 .to(GetParam() == StoredType::kF32   ? at::kFloat
                     : GetParam() == StoredType::kF16 ? at::kHalf
                                                      : at::kBFloat16)
                 .to(at::kFloat);
  EXPECT_TRUE(same_bits(written.load(Role::kDown, 2, at::kFloat), needed));
  EXPECT_TRUE(same_bits(written.load(Role::kDown, 1, at::kFloat),
                        checkpoint.load(Role::kDown, 2, at::kFloat)));
}

TEST_P(PrunedGguf, KeepsTheOrderOfQueryRowsThroughAChange) {
  const Checkpoint checkpoint = open_model();
  const WeightChange change{[](Role role, int64_t) { return role == Role::kQuery; },
                            [](Role role, int64_t, int64_t first, const at::Tensor& values) {
                              if (role != Role::kQuery) return;
                              // Of each row its own, so that a row in another place is seen.
                              for (int64_t r = 0; r < values.size(0); ++r)
                                values[r].add_(static_cast<double>(first + r));
                            }};
  const Checkpoint written = write(checkpoint, plan_of({1}), false, change);
  const at::Tensor before = checkpoint.load(Role::kQuery, 2, at::kFloat);
  const at::Tensor rows = at::arange(0, before.size(0)).to(at::kFloat).unsqueeze(1);
  const at::Tensor after = written.load(Role::kQuery, 1, at::kFloat);
  // F16 and BF16 round the sums: by half a unit in the last place, 2^-9 of bf16.
  EXPECT_LE(
      ((after - before - rows).abs() / (before + rows).abs().clamp_min(1)).max().item<float>(),
      GetParam() == StoredType::kF16 || GetParam() == StoredType::kBf16 ? 0x1p-8f : 0x1p-22f);
}

INSTANTIATE_TEST_SUITE_P(Types, PrunedGguf,
                         ::testing::Values(StoredType::kF32, StoredType::kBf16, StoredType::kQ4_1,
                                           StoredType::kQ6_K),
                         [](const auto& test) {
                           return std::string(models::stored_type_name(test.param));
                         });

/// One file of a quantised model and what is asked of it.
class PrunedGgufFile : public ::testing::Test {
 protected:
  void SetUp() override { file_ = fixtures::tiny_gguf(tiny(), StoredType::kQ4_1); }
  Checkpoint open() {
    put(model(), file_.bytes());
    return Checkpoint::open(model());
  }
  fs::path model() const { return folder_ / "model.gguf"; }
  fs::path out() const { return folder_ / "out.gguf"; }
  size_t entries() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  fixtures::GgufFile file_;
  TemporaryFolder folder_;
};

TEST_F(PrunedGgufFile, CarriesMetadataOverInItsOwnTypes) {
  file_.metadata.emplace_back("general.alignment", fixtures::gguf_u32(64));
  file_.alignment = 64;
  file_.metadata.emplace_back("split.count", fixtures::gguf_u32(1));
  file_.metadata.emplace_back("general.file_type", fixtures::gguf_u32(3));
  file_.metadata.emplace_back("some.small", fixtures::gguf_u8(7));
  file_.metadata.emplace_back("some.large", fixtures::gguf_u64(uint64_t{1} << 40));
  file_.metadata.emplace_back("some.signed", fixtures::gguf_i32(-5));
  file_.metadata.emplace_back("some.list", fixtures::gguf_i32s({1, -2, 3}));
  file_.metadata.emplace_back("some.words", fixtures::gguf_texts({"a", "", "\xC3\xA9"}));
  const Checkpoint checkpoint = open();
  write_pruned_gguf(checkpoint, model(), plan_of({1, 3}), out());
  const Checkpoint written = Checkpoint::open(out());
  const models::GgufHeader &before = *checkpoint.gguf_header(), &after = *written.gguf_header();
  EXPECT_FALSE(after.metadata.contains("general.alignment"));
  EXPECT_FALSE(after.metadata.contains("split.count"));
  for (const auto& [key, type] : before.keys) {
    if (key == "general.alignment" || key == "split.count") continue;
    SCOPED_TRACE(key);
    const models::GgufField from = models::GgufField::of(before, key),
                            to = models::GgufField::of(after, key);
    EXPECT_EQ(from.type, to.type);
    if (key == "llama.block_count")
      EXPECT_EQ(std::get<uint64_t>(after.metadata.at(key)), 3u);
    else
      EXPECT_TRUE(from.bytes == to.bytes);
    const std::string in_file = file_.field(key).bytes;
    EXPECT_TRUE(from.bytes == in_file) << "what was read is what stands there";
  }
  const json said = json::parse(std::get<std::string_view>(after.metadata.at("plumb.provenance")));
  EXPECT_EQ(said.at("removed"), (json{1, 3}));
  EXPECT_EQ(said.at("base").at("sha256"), checkpoint.sha256());
}

TEST_F(PrunedGgufFile, KeepsTheTokenizersIds) {
  const Checkpoint checkpoint = open();
  write_pruned_gguf(checkpoint, model(), plan_of({1}), out());
  const std::string words = "deeper layers, 123 times\n";
  EXPECT_EQ(models::Tokenizer::open(out()).encode(words),
            models::Tokenizer::open(model()).encode(words));
}

TEST_F(PrunedGgufFile, CanBePrunedAgain) {
  const Checkpoint checkpoint = open();
  write_pruned_gguf(checkpoint, model(), plan_of({1}), out());
  const fs::path again = folder_ / "again.gguf", once = folder_ / "once.gguf";
  write_pruned_gguf(Checkpoint::open(out()), out(), {4, {2}, "explicit", "test"}, again);
  write_pruned_gguf(checkpoint, model(), plan_of({1, 3}), once);
  EXPECT_TRUE(same_bits(
      fixtures::logits_of(Decoder::load(Checkpoint::open(again), Dtype::kFp32), tokens()),
      fixtures::logits_of(Decoder::load(Checkpoint::open(once), Dtype::kFp32), tokens())));
}

TEST_F(PrunedGgufFile, SaysWhatRoundingToBf16Lost) {
  const Checkpoint checkpoint = open();
  EXPECT_EQ(write_pruned_gguf(checkpoint, model(), plan_of({1}), out(), true), 0.0)
      << "nothing is decoded";
  fs::remove(out());
  const double error = write_pruned_gguf(checkpoint, model(), plan_of({}), out(), true, {}, {},
                                         add_to_down(4, 1.0 / 3));
  const at::Tensor needed = checkpoint.load(Role::kDown, 4, at::kFloat) + 1.0 / 3;
  const Checkpoint written = Checkpoint::open(out());
  EXPECT_EQ(written.find(Role::kDown, 4)->type, StoredType::kBf16);
  EXPECT_EQ((written.load(Role::kDown, 4, at::kFloat) - needed).abs().max().item().toDouble(),
            error);
}

TEST_F(PrunedGgufFile, IsThereWholeOrNotAtAll) {
  const Checkpoint checkpoint = open();
  int moments = 0;
  write_pruned_gguf(checkpoint, model(), plan_of({0}), out(), false, [&] { ++moments; });
  EXPECT_EQ(entries(), 2u);
  fs::remove(out());
  struct Stop {};
  for (int at = 1; at <= moments; at += 5) {
    int moment = 0;
    const auto between = [&] {
      if (++moment == at) throw Stop();
    };
    EXPECT_THROW(write_pruned_gguf(checkpoint, model(), plan_of({0}), out(), false, between), Stop);
    EXPECT_EQ(entries(), 1u) << "stopped at " << at;
  }
}

TEST_F(PrunedGgufFile, RefusesWhatItCannotWrite) {
  const Checkpoint checkpoint = open();
  const auto refused = [&](const fs::path& file, const PruningPlan& plan) {
    return error_of([&] { write_pruned_gguf(checkpoint, model(), plan, file); });
  };
  EXPECT_EQ(refused(folder_ / "out", plan_of({1})).kind(), ErrorKind::kUsage);
  EXPECT_THAT(refused(model(), plan_of({1})).what(), HasSubstr("exists"));
  EXPECT_EQ(refused(out(), {6, {1}, "explicit", "test"}).kind(), ErrorKind::kUsage);
  file_.metadata.emplace_back("llama.some_list", fixtures::gguf_i32s({1, 2, 3, 4, 5}));
  const Checkpoint listed = open();
  const Error error = error_of([&] { write_pruned_gguf(listed, model(), plan_of({1}), out()); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("'llama.some_list' has one entry for each block"));
}

TEST_F(PrunedGgufFile, RefusesANanInWhatItCopies) {
  auto& tensor = file_.tensor("blk.2.ffn_up.weight");
  tensor.bytes[1] = '\x7e';  // the scale of the first storage block, as F16
  const Checkpoint checkpoint = open();
  const Error error =
      error_of([&] { write_pruned_gguf(checkpoint, model(), plan_of({1}), out()); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_THAT(error.what(), HasSubstr("blk.2.ffn_up.weight"));
  EXPECT_FALSE(fs::exists(out()));
  write_pruned_gguf(checkpoint, model(), plan_of({2}), out());  // the block that has it goes
}

const std::vector<std::string> kWritten{"llama", "mistral", "qwen2", "qwen3", "phi", "gemma"};

TEST(PrunedGgufFamilies, OfAFolderComputeWhatTheFolderDoes) {
  const TemporaryFolder folder;
  int written = 0;
  for (const json& golden : golden_file().cases) {
    const std::string name = golden.at("name");
    SCOPED_TRACE(name);
    const fs::path model = folder / name;
    fixtures::write_golden_model(model, golden);
    const Checkpoint checkpoint = Checkpoint::open(model);
    const auto& plan_json = golden.at("plans").back();
    const PruningPlan plan{checkpoint.config().block_count,
                           plan_json.at("removed").get<std::vector<int64_t>>(), "explicit", "test"};
    const fs::path file = folder / (name + ".gguf");
    const std::string family = checkpoint.config().architecture;
    if (std::ranges::count(kWritten, family) == 0) {
      const Error error = error_of([&] { write_pruned_gguf(checkpoint, model, plan, file); });
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_THAT(error.what(), HasSubstr("no GGUF of a " + family));
      EXPECT_THAT(error.what(), HasSubstr("write safetensors"));
      continue;
    }
    try {
      write_pruned_gguf(checkpoint, model, plan, file);
    } catch (const Error& error) {  // an option of its config.json that GGUF has no key for
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_THAT(error.what(), HasSubstr("write safetensors"));
      EXPECT_FALSE(fs::exists(file));
      continue;
    }
    ++written;
    const Checkpoint back = Checkpoint::open(file);
    EXPECT_EQ(back.config().block_count, plan.block_count - plan.removed_count());
    EXPECT_EQ(back.config().vocabulary_size, checkpoint.config().vocabulary_size);
    EXPECT_EQ(back.config().rope_scaling, checkpoint.config().rope_scaling);
    // GGUF has no window for Mistral: what it promises ends with it.
    const at::Tensor& all = golden_file().tokens;
    const at::Tensor seen = all.narrow(1, 0, std::min(back.config().max_positions, all.size(1)));
    const at::Tensor a = fixtures::logits_of(Decoder::load(back, Dtype::kFp32), seen);
    const at::Tensor b =
        fixtures::logits_of(apply(Decoder::load(checkpoint, Dtype::kFp32), plan), seen);
    // The key of theta and epsilon is fp32, that of config.json a double.
    EXPECT_LE((a - b).abs().max().item<float>(), 1e-5 * b.abs().max().item<float>());
    if (seen.size(1) < all.size(1)) {
      EXPECT_EQ(back.config().max_positions, checkpoint.config().window);
      continue;
    }
    EXPECT_LE(golden_file().difference(a, plan_json), 1e-4) << "of transformers";
  }
  EXPECT_GE(written, 6);
}

// The released Llama 3.1's scaling; of 8 features one pair keeps its frequency, one has a mixture, one an eighth.
TEST(PrunedGgufFamilies, KeepLlama3sScaling) {
  const TemporaryFolder folder;
  for (json golden : golden_file().cases) {
    if (golden.at("name") != "llama") continue;
    golden["config"]["rope_theta"] = 500000.0;
    golden["config"]["max_position_embeddings"] = 131072;
    golden["config"]["rope_scaling"] = {{"rope_type", "llama3"},
                                        {"factor", 8.0},
                                        {"low_freq_factor", 1.0},
                                        {"high_freq_factor", 4.0},
                                        {"original_max_position_embeddings", 8192}};
    fixtures::write_golden_model(folder / "model", golden);
    const Checkpoint checkpoint = Checkpoint::open(folder / "model");
    const PruningPlan plan{checkpoint.config().block_count, {1}, "explicit", "test"};
    write_pruned_gguf(checkpoint, folder / "model", plan, folder / "once.gguf");
    const Checkpoint once = Checkpoint::open(folder / "once.gguf");
    EXPECT_EQ(once.config().rope_scaling, checkpoint.config().rope_scaling);
    EXPECT_EQ(once.config().rope_scaling.factor, 8);
    const PruningPlan none{once.config().block_count, {}, "explicit", "test"};
    write_pruned_gguf(once, folder / "once.gguf", none, folder / "twice.gguf");
    EXPECT_EQ(Checkpoint::open(folder / "twice.gguf").config().rope_scaling,
              checkpoint.config().rope_scaling);
  }
}

std::string sha256_of(const std::string& bytes) { return sha256_hex(bytes); }

/// What fixtures/peers/read_gguf.py says of a file.
json said_by_gguf(const std::string& python, const fs::path& file) {
  const fs::path said = file.string() + ".json";
  const std::string command =
      text("'", python, "' '", PLUMB_SOURCE_DIR, "/fixtures/peers/read_gguf.py' '", file.string(),
           "' > '", said.string(), "'");
  if (std::system(command.c_str()) != 0) throw std::runtime_error("read_gguf.py failed");
  return json::parse(read_file(said));
}

void expect_read_alike(const Checkpoint& written, const json& said) {
  EXPECT_EQ(said.at("unknown"), json::array());
  EXPECT_EQ(said.at("tensors").size(), written.tensors().size());
  for (const auto& entry : written.tensors()) {
    const json& peer = said.at("tensors").at(entry.name);
    EXPECT_EQ(peer.at("shape"), json(entry.shape)) << entry.name;
    EXPECT_EQ(peer.at("type"), models::stored_type_name(entry.type)) << entry.name;
    EXPECT_EQ(peer.at("offset"), entry.begin) << entry.name;
    const std::string bytes = stored_bytes(written, entry);
    EXPECT_EQ(peer.at("bytes"), sha256_of(bytes)) << entry.name;
    std::vector<float> values(static_cast<size_t>(entry.element_count()));
    models::dequantize(entry.type, std::as_bytes(std::span(bytes)), values);
    const auto view = std::as_bytes(std::span(values));
    EXPECT_EQ(peer.at("values"),
              sha256_of({reinterpret_cast<const char*>(view.data()), view.size()}))
        << entry.name;
  }
}

TEST_F(PrunedGgufFile, IsReadAlikeByTheGgufPackage) {
  const auto python = testing::peer_python("gguf");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const Checkpoint checkpoint = open();
  write_pruned_gguf(checkpoint, model(), plan_of({1, 3}), out(), true, {}, {},
                    add_to_down(0, 0.25));
  const json said = said_by_gguf(python.path, out());
  expect_read_alike(Checkpoint::open(out()), said);
  const json& fields = said.at("fields");
  EXPECT_EQ(fields.at("llama.block_count").at("value"), 3);
  EXPECT_EQ(fields.at("tokenizer.ggml.tokens").at("value").size(), 256u);
  const json before = said_by_gguf(python.path, model()).at("fields");
  for (const auto& [key, field] : before.items())
    EXPECT_TRUE(fields.at(key) == field || key == "llama.block_count") << key;
}

TEST(PrunedGgufFamilies, AreReadAlikeByTheGgufPackage) {
  const auto python = testing::peer_python("gguf");
  if (!python.missing.empty()) GTEST_SKIP() << python.missing;
  const TemporaryFolder folder;
  for (const json& golden : golden_file().cases) {
    const std::string name = golden.at("name");
    if (std::ranges::count(kWritten, name) == 0 && name != "llama3") continue;
    SCOPED_TRACE(name);
    const fs::path model = folder / name, file = folder / (name + ".gguf");
    fixtures::write_golden_model(model, golden);
    const Checkpoint checkpoint = Checkpoint::open(model);
    try {
      write_pruned_gguf(checkpoint, model, {checkpoint.config().block_count, {1}, "explicit", ""},
                        file);
    } catch (const Error& error) {
      EXPECT_EQ(name, "llama3") << error.what();  // its 64 positions are none that GGUF can say
      continue;
    }
    expect_read_alike(Checkpoint::open(file), said_by_gguf(python.path, file));
  }
}

}  // namespace
}  // namespace plumb::pruning
