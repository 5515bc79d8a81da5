#include "models/formats/gguf_writer.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/testing.h"
#include "models/formats/model_file.h"

namespace plumb::models {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

std::string some_bytes(uint64_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 37 + i / 256 + 1);
  return bytes;
}

class WriteGguf : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "out.gguf"; }
  std::vector<TensorSlot> slots_{{"a", StoredType::kF32, {3}},
                                 {"b", StoredType::kQ4_1, {2, 64}},
                                 {"c", StoredType::kF16, {5, 1, 2}}};
  GgufFields metadata_{{"one", GgufField::count(4000000000)},
                       {"half", GgufField::real(0.5)},
                       {"yes", GgufField::flag(true)},
                       {"name", GgufField::words("caf\xC3\xA9")},
                       {"names", GgufField::list(std::vector<std::string>{"x", "", "yz"})},
                       {"whole", GgufField::list(std::vector<int32_t>{-1, 2})},
                       {"real", GgufField::list(std::vector<float>{0.25f})}};
  TemporaryFolder folder_;
};

TEST_F(WriteGguf, IsReadBackWhateverThePiecesWere) {
  std::string payload;
  for (const TensorSlot& slot : slots_) payload += some_bytes(slot.size_bytes());
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{33}, payload.size()}) {
    std::filesystem::remove(path());
    GgufWriter writer(path(), metadata_, slots_);
    for (size_t at = 0; at < payload.size(); at += piece)
      writer.write(std::as_bytes(
          std::span(payload).subspan(at).first(std::min(piece, payload.size() - at))));
    writer.finish();
    const ModelFile file(path());
    const GgufHeader header = parse_gguf(file);
    EXPECT_EQ(header.version, 3u);
    ASSERT_EQ(header.keys.size(), metadata_.size());
    for (size_t i = 0; i < metadata_.size(); ++i) {
      EXPECT_EQ(header.keys[i].first, metadata_[i].first) << "in order";
      const GgufField field = GgufField::of(header, metadata_[i].first);
      EXPECT_EQ(field.type, metadata_[i].second.type);
      EXPECT_TRUE(field.bytes == metadata_[i].second.bytes) << metadata_[i].first;
    }
    EXPECT_EQ(std::get<uint64_t>(header.metadata.at("one")), 4000000000u);
    EXPECT_EQ(std::get<std::string_view>(header.metadata.at("name")), "caf\xC3\xA9");
    ASSERT_EQ(header.tensors.size(), slots_.size());
    size_t at = 0;
    for (size_t i = 0; i < slots_.size(); ++i) {
      const TensorEntry& entry = header.tensors[i];
      EXPECT_EQ(entry.name, slots_[i].name);
      EXPECT_EQ(entry.shape, slots_[i].shape);
      EXPECT_EQ(entry.type, slots_[i].type);
      EXPECT_EQ(entry.begin % 32, 0u);
      std::string bytes(entry.size_bytes(), '\0');
      file.read(entry.begin, std::as_writable_bytes(std::span(bytes)));
      EXPECT_TRUE(bytes == payload.substr(at, bytes.size()));
      at += bytes.size();
    }
    EXPECT_EQ(file.size() % 32, 0u) << "the last tensor is padded too, as gguf does";
  }
}

TEST_F(WriteGguf, LeavesNothingWhereItWasNotFinished) {
  { GgufWriter writer(path(), metadata_, slots_); }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(WriteGguf, RefusesWhatItWasNotToldOf) {
  const std::string bytes(1000, 'x');
  const auto invariant = [&](const auto& action) {
    EXPECT_EQ(error_of(action).kind(), ErrorKind::kInvariant);
    std::filesystem::remove(path());
  };
  invariant([&] {
    GgufWriter writer(path(), metadata_, slots_);
    writer.write(std::as_bytes(std::span(bytes)));
  });
  invariant([&] {
    GgufWriter writer(path(), metadata_, slots_);
    writer.write(std::as_bytes(std::span(bytes).first(13)));
    writer.finish();
  });
  auto twice = slots_;
  twice.push_back(twice.front());
  invariant([&] { GgufWriter(path(), metadata_, twice); });
  auto fields = metadata_;
  fields.push_back(fields.front());
  invariant([&] { GgufWriter(path(), fields, slots_); });
  invariant([&] { GgufWriter(path(), {}, {{std::string(64, 'n'), StoredType::kF32, {1}}}); });
  invariant([&] { GgufWriter(path(), {}, {{"five", StoredType::kF32, {1, 1, 1, 1, 1}}}); });
  invariant([&] { GgufField::count(-1); });
}

}  // namespace
}  // namespace plumb::models
