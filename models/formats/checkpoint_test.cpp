#include "models/formats/checkpoint.h"

#include <ATen/ops/cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/decoder.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using fixtures::gguf_text;
using fixtures::gguf_u32;
using fixtures::GgufFile;
using fixtures::put;
using fixtures::SafetensorsTensor;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor p = a.contiguous(), q = b.contiguous();
  return p.sizes() == q.sizes() && p.scalar_type() == q.scalar_type() &&
         std::memcmp(p.const_data_ptr(), q.const_data_ptr(), p.nbytes()) == 0;
}

void expect_same_weights(const Decoder& a, const Decoder& b, at::ScalarType through) {
  const auto expect_same = [&](const at::Tensor& x, const at::Tensor& y) {
    EXPECT_TRUE(same_bits(x.to(through).to(at::kFloat), y));
  };
  expect_same(a.embedding(), b.embedding());
  expect_same(a.unembedding(), b.unembedding());
  ASSERT_EQ(a.block_count(), b.block_count());
  for (int64_t i = 0; i < a.block_count(); ++i) {
    expect_same(a.block(i)->query_key_value, b.block(i)->query_key_value);
    expect_same(a.block(i)->attention_out, b.block(i)->attention_out);
    expect_same(a.block(i)->gate_up, b.block(i)->gate_up);
    expect_same(a.block(i)->down, b.block(i)->down);
  }
}

fixtures::TinyDecoderOptions options(bool tied = true) {
  fixtures::TinyDecoderOptions small;
  small.block_count = 3;
  small.width = 32;
  small.feed_forward_width = 64;
  small.tied_embeddings = tied;
  return small;
}

class CheckpointOf : public ::testing::Test {
 protected:
  /// Opens and loads everything; one line, kind kInput, with `part`.
  void expect_refused(const fs::path& model, const std::string& part) const {
    const Error error = error_of([&] { Decoder::load(Checkpoint::open(model), Dtype::kFp32); });
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
    const std::string what = error.what();
    EXPECT_THAT(what, HasSubstr(part));
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    const auto advises = [&](const char* word) { return what.find(word) != std::string::npos; };
    EXPECT_TRUE(std::ranges::any_of(std::vector{"fetch", "download", "use a", "name ", "save ",
                                                "put ", "needed", "are allowed"},
                                    advises))
        << what;
  }
  template <typename Change>
  void expect_gguf_refused(Change&& change, const std::string& part) const {
    GgufFile file = fixtures::tiny_gguf(decoder_, StoredType::kF16);
    change(file);
    put(gguf_, file.bytes());
    expect_refused(gguf_, part);
  }
  template <typename Change>
  void expect_folder_refused(Change&& change, const std::string& part) const {
    fs::remove_all(model_);
    fixtures::write_tiny_folder(model_, decoder_, StoredType::kF32, 2);
    change();
    expect_refused(model_, part);
  }
  /// The single-file folder with its tensors changed.
  template <typename Change>
  void expect_tensors_refused(Change&& change, const std::string& part) const {
    auto tensors = fixtures::tiny_tensors(decoder_, StoredType::kF32);
    change(tensors);
    fs::remove_all(model_);
    put(model_ / "config.json", fixtures::tiny_config_json(decoder_));
    put(model_ / "model.safetensors", fixtures::safetensors_bytes(tensors));
    expect_refused(model_, part);
  }
  static SafetensorsTensor& named(std::vector<SafetensorsTensor>& tensors, const char* name) {
    return *std::ranges::find(tensors, name, &SafetensorsTensor::name);
  }

  TemporaryFolder folder_;
  Decoder decoder_ = fixtures::tiny_decoder(options());
  fs::path gguf_ = folder_ / "model.gguf", model_ = folder_ / "model";
  fs::path index_ = model_ / "model.safetensors.index.json";
};

TEST_F(CheckpointOf, EveryKindHoldsTheWeightsThatWereWritten) {
  for (const bool tied : {true, false}) {
    const Decoder decoder = fixtures::tiny_decoder(options(tied));
    for (const auto& [type, scalar] :
         {std::pair(StoredType::kF32, at::kFloat), std::pair(StoredType::kF16, at::kHalf),
          std::pair(StoredType::kBf16, at::kBFloat16)}) {
      put(gguf_, fixtures::tiny_gguf(decoder, type).bytes());
      std::vector<fs::path> models{gguf_};
      for (const size_t shards : {1u, 3u}) {
        models.push_back(folder_ / text(stored_type_name(type), tied, shards));
        fixtures::write_tiny_folder(models.back(), decoder, type, shards);
      }
      for (const fs::path& model : models) {
        const Checkpoint checkpoint = Checkpoint::open(model);
        EXPECT_EQ(checkpoint.config().tied_embeddings, tied);
        EXPECT_EQ(checkpoint.is_gguf(), model == gguf_);
        expect_same_weights(decoder, Decoder::load(checkpoint, Dtype::kFp32), scalar);
      }
    }
  }
}

TEST_F(CheckpointOf, RowsAreThoseOfTheWholeTensor) {
  put(gguf_, fixtures::tiny_gguf(decoder_, StoredType::kQ5_1).bytes());
  const Checkpoint checkpoint = Checkpoint::open(gguf_);
  const int64_t head = checkpoint.config().head_width;
  for (const Role role : {Role::kQuery, Role::kKey, Role::kValue, Role::kDown}) {
    const at::Tensor whole = checkpoint.load(role, 1, at::kFloat);
    std::vector<at::Tensor> parts;
    for (int64_t row = 0; row < whole.size(0); row += head)
      parts.push_back(checkpoint.load_rows(role, 1, row, head, at::kFloat));
    EXPECT_TRUE(same_bits(at::cat(parts), whole));
  }
  const auto kind = [&](int64_t first, int64_t count) {
    return error_of([&] { checkpoint.load_rows(Role::kQuery, 1, first, count, at::kFloat); })
        .kind();
  };
  for (const auto& [first, count] :
       {std::pair<int64_t, int64_t>{1, head}, {0, 1}, {-head, head}, {32, head}, {0, 40}})
    EXPECT_EQ(kind(first, count), ErrorKind::kInvariant) << first << " " << count;
}

TEST_F(CheckpointOf, HashIsThatOfItsFileOrOfTheirHashes) {
  put(gguf_, fixtures::tiny_gguf(decoder_, StoredType::kF16).bytes());
  EXPECT_EQ(Checkpoint::open(gguf_).sha256(), sha256_of_file(gguf_));
  fixtures::write_tiny_folder(model_, decoder_, StoredType::kF32, 2);
  std::string all;
  const Checkpoint checkpoint = Checkpoint::open(model_);
  for (const fs::path& file : checkpoint.files()) all += sha256_of_file(file) + "\n";
  EXPECT_EQ(checkpoint.sha256(), sha256_hex(all));
  EXPECT_EQ(checkpoint.files().size(), 3u);
}

TEST_F(CheckpointOf, HashThatWasStoppedIsMadeWhenItIsAskedForAgain) {
  put(gguf_, fixtures::tiny_gguf(decoder_, StoredType::kF16).bytes());
  const Checkpoint checkpoint = Checkpoint::open(gguf_);
  std::stop_source stop;
  stop.request_stop();
  const Error error = error_of([&] { checkpoint.sha256(stop.get_token()); });
  EXPECT_EQ(error.kind(), ErrorKind::kResource);
  EXPECT_THAT(error.what(), HasSubstr("was stopped"));
  EXPECT_EQ(checkpoint.sha256(), sha256_of_file(gguf_));
}

TEST_F(CheckpointOf, NothingOrTheWrongThingIsRefusedWithWhatToName) {
  expect_refused(folder_ / "absent", "there is no model at");
  expect_refused(folder_.path(), "has no config.json");
  put(folder_ / "x.gguf", "");
  expect_refused(folder_ / "x.gguf", "is empty (0 bytes)");
  put(folder_ / "x.gguf", "no model at all");
  expect_refused(folder_ / "x.gguf", "does not start with 'GGUF'");
  for (const char* name : {"x.bin", "x.pt", "x.pth", "x.ckpt"}) {
    put(folder_ / name, "x");
    expect_refused(folder_ / name, "is a pickle");
  }
  put(folder_ / "x.safetensors", "x");
  expect_refused(folder_ / "x.safetensors", "name its folder");
}

TEST_F(CheckpointOf, FoldersWithoutSafetensorsAreToldWhatIsThereInstead) {
  put(model_ / "config.json", fixtures::tiny_config_json(decoder_));
  expect_refused(model_, "neither model.safetensors nor model.safetensors.index.json");
  put(model_ / "pytorch_model.bin", "x");
  expect_refused(model_, "only 'pytorch_model.bin', a pickle");
  put(model_ / "x.gguf", "x");
  expect_refused(model_, "name 'x.gguf' itself");
}

TEST_F(CheckpointOf, UnknownArchitecturesAreNamedWithTheKnownOnes) {
  expect_gguf_refused(
      [](GgufFile& f) { f.field("general.architecture") = gguf_text("mamba"); },
      "the model's architecture is 'mamba', which Plumb does not know; it knows: llama");
  expect_gguf_refused([](GgufFile& f) { f.metadata.erase(f.metadata.begin()); },
                      "'general.architecture' is missing");
  expect_folder_refused(
      [&] {
        auto config = nlohmann::json::parse(fixtures::tiny_config_json(decoder_));
        config["architectures"] = {"MambaForCausalLM"};
        put(model_ / "config.json", config.dump());
      },
      "'MambaForCausalLM', which Plumb does not know; it knows: LlamaForCausalLM");
}

TEST_F(CheckpointOf, TensorsThatAreMissingMisshapenOrOneTooManyAreNamed) {
  const auto without = [](const char* name) {
    return [name](std::vector<SafetensorsTensor>& tensors) {
      std::erase_if(tensors, [&](const auto& t) { return t.name == name; });
    };
  };
  expect_tensors_refused(without("model.layers.1.mlp.up_proj.weight"),
                         "the first is 'model.layers.1.mlp.up_proj.weight'; fetch");
  expect_tensors_refused(without("model.norm.weight"), "'model.norm.weight'");
  expect_tensors_refused(
      [](auto& t) {
        named(t, "model.layers.2.mlp.down_proj.weight").shape = {64, 32};
      },
      "'model.layers.2.mlp.down_proj.weight' has shape [64, 32] but the config needs [32, 64]");
  expect_tensors_refused(
      [](auto& t) {
        t.push_back({"model.layers.0.self_attn.q_proj.bias", "F32", {1}, "1234"});
      },
      "'model.layers.0.self_attn.q_proj.bias' has no place");
  expect_tensors_refused(
      [](auto& t) {
        t.push_back({"model.layers.3.mlp.up_proj.weight", "F32", {1}, "1234"});
      },
      "'model.layers.3.mlp.up_proj.weight' has no place");
  expect_gguf_refused([](GgufFile& f) { f.field("llama.block_count") = gguf_u32(4); },
                      "9 tensors of a llama decoder of 4 blocks are missing, the first is "
                      "'blk.3.attn_norm.weight'");
  expect_gguf_refused([](GgufFile& f) { f.field("llama.block_count") = gguf_u32(2); },
                      "'blk.2.attn_norm.weight' has no place");
  expect_gguf_refused([](GgufFile& f) { f.tensor("token_embd.weight").name += "x"; },
                      "'token_embd.weight' is missing");
}

TEST_F(CheckpointOf, ShardsThatAreMissingOrNotTheIndexedOnesAreNamed) {
  const char* first = "model-00001-of-00002.safetensors";
  const char* second = "model-00002-of-00002.safetensors";
  const auto index = [&](const std::function<void(nlohmann::json&)>& change) {
    auto json = nlohmann::json::parse(read_file(index_));
    change(json["weight_map"]);
    put(index_, json.dump());
  };
  expect_folder_refused([&] { fs::remove(model_ / second); },
                        text("1 of 2 files that model.safetensors.index.json names are missing, "
                             "first '",
                             second, "'; fetch"));
  expect_folder_refused([&] { fs::rename(model_ / second, model_ / first); }, "are missing");
  expect_folder_refused(
      [&] {
        index([&](auto& map) {
          map["model.norm.weight"] = map["model.norm.weight"] == first ? second : first;
        });
      },
      "'model.norm.weight' is here, but the index has it in another file");
  expect_folder_refused([&] { index([&](auto& map) { map.erase("model.norm.weight"); }); },
                        "'model.norm.weight' is here, but the index has it nowhere");
  expect_folder_refused([&] { index([&](auto& map) { map["more"] = first; }); },
                        text("the index has tensor 'more' in '", first, "', which lacks it"));
  expect_folder_refused([&] { put(model_ / second, read_file(model_ / first)); }, "another file");
  expect_folder_refused(
      [&] {
        const std::string bytes = read_file(model_ / second);
        put(model_ / second, bytes.substr(0, bytes.size() - 1));
      },
      text(second, ": tensor"));
}

TEST_F(CheckpointOf, AnIndexThatLiesAboutItselfIsRefused) {
  const auto index = [&](const std::string& bytes, const std::string& part) {
    expect_folder_refused([&] { put(index_, bytes); }, part);
  };
  index("", "no object");
  index("{}", "no weight_map");
  index("{\"weight_map\":{}}", "no weight_map, or an empty one");
  index("{\"weight_map\":[]}", "weight_map must be an object");
  index("{\"weight_map\":{\"a\":7}}", "weight_map must be an object");
  index("{\"weight_map\":{\"a\":{\"b\":\"c\"}}}", "weight_map must be an object");
  index("{\"weight_map\":{\"a\":\"f.safetensors\",\"a\":\"f.safetensors\"}}", "'a' twice");
  index("{\"weight_map\":{\"a\":\"f.bin\"}}", "no .safetensors file");
  for (const char* name : {"../f.safetensors", "/etc/f.safetensors", ".hidden.safetensors", "",
                           "a//b.safetensors", "a\\\\b.safetensors", "a/../b.safetensors"})
    index(text("{\"weight_map\":{\"a\":\"", name, "\"}}"), "file name is empty or not allowed");
  expect_folder_refused(
      [&] {
        const fs::path shard = model_ / "model-00001-of-00002.safetensors";
        fs::rename(shard, folder_ / "outside");
        fs::create_symlink(folder_ / "outside", shard);
      },
      "a symbolic link that leaves the model's folder");
  fs::remove(folder_ / "outside");
}

}  // namespace
}  // namespace plumb::models
