// Paths that name something else than a file of bytes that stays as it is: FIFOs, devices, folders, links, files without
// permission, files of holes, files that are cut short while they are open.

#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/decoder.h"
#include "models/formats/gguf.h"
#include "models/formats/model_file.h"
#include "models/formats/safetensors.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/tokenizer.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;
using fixtures::put;
using plumb::testing::error_of;
using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string tokenizer_json() {
  nlohmann::json vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary[byte_symbol(static_cast<uint8_t>(byte))] = byte;
  return nlohmann::json{
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}}}}
      .dump();
}

class SpecialFile : public ::testing::Test {
 protected:
  SpecialFile() {
    fixtures::TinyDecoderOptions small;
    small.block_count = 1;
    small.width = 16;
    small.feed_forward_width = 16;
    decoder_.emplace(fixtures::tiny_decoder(small));
    fixtures::write_tiny_folder(model_, *decoder_, StoredType::kF32, 1, tokenizer_json());
    put(model_ / "tokenizer_config.json", "{}");
    put(model_ / "README.md", "---\nlicense: mit\n---\n");
    put(gguf_, fixtures::tiny_gguf(*decoder_, StoredType::kF16).bytes());
  }
  /// Of the model and of its tokenizer, whichever is refused first.
  static std::string refusal(const fs::path& model) {
    const Error error = error_of([&] {
      Decoder::load(Checkpoint::open(model), Dtype::kFp32);
      Tokenizer::open(model);
    });
    EXPECT_EQ(error.kind(), ErrorKind::kInput) << error.what();
    EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("\n")));
    return error.what();
  }

  plumb::testing::TemporaryFolder folder_;
  std::optional<Decoder> decoder_;
  fs::path model_ = folder_ / "model", gguf_ = folder_ / "m.gguf";
  const std::vector<const char*> names_ = {"config.json", "model.safetensors", "tokenizer.json",
                                           "tokenizer_config.json"};
};

// Opening a FIFO for reading waits for a writer, who never comes here.
TEST_F(SpecialFile, FifoIsRefusedWithoutWaiting) {
  for (const char* name : names_) {
    fs::rename(model_ / name, folder_ / "kept");
    ASSERT_EQ(::mkfifo((model_ / name).c_str(), 0600), 0);
    EXPECT_THAT(refusal(model_), HasSubstr(name));
    fs::rename(folder_ / "kept", model_ / name);
  }
  fs::remove(gguf_);
  ASSERT_EQ(::mkfifo(gguf_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(gguf_), HasSubstr("is a special file, needed is a regular file"));
  EXPECT_THAT(error_of([&] { Tokenizer::open(gguf_); }).what(), HasSubstr("a special file"));
  ASSERT_EQ(::mkfifo((folder_ / "tokenizer.json").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { Tokenizer::open(folder_ / "tokenizer.json"); }).what(),
              HasSubstr("a special file"));
  // What is only looked at for a licence is none of the model's files.
  fs::remove(model_ / "README.md");
  ASSERT_EQ(::mkfifo((model_ / "README.md").c_str(), 0600), 0);
  EXPECT_EQ(Checkpoint::open(model_).config().license, "");
}

TEST_F(SpecialFile, DeviceOrSocketIsRefused) {
  for (const char* device : {"/dev/zero", "/dev/null", "/dev/random"}) {
    EXPECT_THAT(refusal(device), HasSubstr("is a special file, needed is a regular file"));
    EXPECT_THAT(error_of([&] { Tokenizer::open(device); }).what(), HasSubstr("a special file"));
  }
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = folder_ / "s.gguf";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(refusal(path), HasSubstr("cannot open"));
  ::close(socket);
}

TEST_F(SpecialFile, FolderInAFilesPlaceIsRefused) {
  for (const char* name : names_) {
    fs::rename(model_ / name, folder_ / "kept");
    fs::create_directory(model_ / name);
    EXPECT_THAT(refusal(model_), AnyOf(HasSubstr("a folder"), HasSubstr("directory")));
    fs::remove(model_ / name);
    fs::rename(folder_ / "kept", model_ / name);
  }
  fs::remove(gguf_);
  fs::create_directory(gguf_);
  EXPECT_THAT(refusal(gguf_), HasSubstr("'" + gguf_.string() + "' has no config.json"));
}

TEST_F(SpecialFile, LoopOfLinksIsRefused) {
  for (const char* name : names_) {
    fs::rename(model_ / name, folder_ / "kept");
    fs::create_symlink(name, model_ / name);
    EXPECT_THAT(refusal(model_), HasSubstr("Too many levels of symbolic links")) << name;
    fs::remove(model_ / name);
    fs::rename(folder_ / "kept", model_ / name);
  }
  fs::create_symlink("loop.gguf", folder_ / "loop.gguf");
  EXPECT_THAT(refusal(folder_ / "loop.gguf"), HasSubstr("Too many levels of symbolic links"));
  EXPECT_EQ(error_of([&] { Tokenizer::open(folder_ / "loop.gguf"); }).kind(), ErrorKind::kInput);
}

TEST_F(SpecialFile, LinkToNothingIsRefused) {
  fs::remove(model_ / "model.safetensors");
  fs::create_symlink("../blobs/gone", model_ / "model.safetensors");
  EXPECT_THAT(refusal(model_), HasSubstr("neither model.safetensors nor"));
  fs::create_symlink("nowhere", folder_ / "x.gguf");
  EXPECT_THAT(refusal(folder_ / "x.gguf"), HasSubstr("there is no model at"));
}

// Root may read everything: the file system is asked in the name of nobody.
TEST_F(SpecialFile, FileWithoutPermissionIsRefused) {
  constexpr uid_t kNobody = 65534;
  fs::permissions(folder_.path(), fs::perms::all);
  for (const char* name : names_) {
    fs::permissions(model_ / name, fs::perms::none);
    const auto before = static_cast<uid_t>(::setfsuid(kNobody));
    const std::string what = refusal(model_);
    ::setfsuid(before);
    EXPECT_THAT(what, HasSubstr("Permission denied")) << name;
    fs::permissions(model_ / name, fs::perms::owner_read | fs::perms::others_read);
  }
}

TEST_F(SpecialFile, FileOfHolesCostsNoMoreThanItsHeader) {
  fs::resize_file(gguf_, uintmax_t{1} << 40);  // a sound header before a terabyte of nothing
  EXPECT_NO_THROW(Checkpoint::open(gguf_));
  put(gguf_, "");
  fs::resize_file(gguf_, uintmax_t{1} << 42);
  EXPECT_THAT(refusal(gguf_), HasSubstr("does not start with 'GGUF'"));
  put(model_ / "config.json", "");
  fs::resize_file(model_ / "config.json", uintmax_t{1} << 40);
  EXPECT_THAT(refusal(model_), HasSubstr("the config has 1099511627776 bytes"));
}

// A mapped header would end the process with SIGBUS here.
TEST_F(SpecialFile, FileThatIsCutShortWhileItIsReadIsRefused) {
  const std::string shorter = "has become shorter since it was opened";
  const ModelFile gguf(gguf_), safetensors(model_ / "model.safetensors");
  for (const uintmax_t left : {100, 10, 0}) {
    fs::resize_file(gguf_, left);
    fs::resize_file(model_ / "model.safetensors", left);
    EXPECT_THAT(error_of([&] { parse_gguf(gguf); }).what(), HasSubstr(shorter));
    EXPECT_THAT(error_of([&] { parse_safetensors(safetensors); }).what(), HasSubstr(shorter));
  }
}

TEST_F(SpecialFile, FileThatIsCutShortAfterOpeningIsRefusedByEveryRead) {
  const Checkpoint checkpoint = Checkpoint::open(model_);
  const TensorEntry last = *checkpoint.find(Role::kDown, 0);
  fs::resize_file(model_ / "model.safetensors", 4000);
  const auto what = [](auto&& read) { return std::string(error_of(read).what()); };
  const std::string shorter = "has become shorter since it was opened";
  EXPECT_THAT(what([&] { Decoder::load(checkpoint, Dtype::kFp32); }), HasSubstr(shorter));
  EXPECT_THAT(what([&] { checkpoint.load_stored(last); }), HasSubstr(shorter));
  EXPECT_THAT(what([&] { checkpoint.sha256(); }), HasSubstr(shorter));
}

/// Links of a model's folder.
class LinkedModel : public SpecialFile {
 protected:
  /// `folder`/`name`, whose file moves to `target`, becomes a link to it.
  static void link(const fs::path& folder, const std::string& name, const fs::path& target) {
    fs::create_directories(target.parent_path());
    fs::rename(folder / name, target);
    fs::create_symlink(fs::relative(target, folder), folder / name);
  }
};

TEST_F(LinkedModel, OfAHubCacheIsRead) {
  const fs::path repository = folder_ / "models--org--name";
  const fs::path snapshot = repository / "snapshots" / std::string(40, 'a');
  fs::create_directories(snapshot.parent_path());
  fs::rename(model_, snapshot);
  for (const char* name :
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"})
    link(snapshot, name, repository / "blobs" / ("of-" + std::string(name)));
  EXPECT_EQ(Checkpoint::open(snapshot).config().license, "mit");
  EXPECT_EQ(Tokenizer::open(snapshot).encode("a").size(), 2u);
  // By a link to the snapshot too, as huggingface_hub's users make them.
  fs::create_symlink(snapshot, folder_ / "short");
  EXPECT_NO_THROW(Decoder::load(Checkpoint::open(folder_ / "short"), Dtype::kFp32));
  // Another repository's blob is none of this model's.
  fs::create_directories(folder_ / "models--other--name/blobs");
  fs::rename(repository / "blobs/of-config.json", folder_ / "models--other--name/blobs/x");
  fs::remove(snapshot / "config.json");
  fs::create_symlink("../../../models--other--name/blobs/x", snapshot / "config.json");
  EXPECT_THAT(refusal(snapshot), HasSubstr("a symbolic link that leaves the model's folder"));
}

TEST_F(LinkedModel, WithinItsFolderIsRead) {
  link(model_, "config.json", model_ / "versions/config.json");
  EXPECT_NO_THROW(Checkpoint::open(model_));
}

// Whoever packs a folder could otherwise have any file of the machine read, and a tokenizer's copied.
TEST_F(LinkedModel, ThatLeavesItsFolderIsRefused) {
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json",
                           "tokenizer_config.json", "README.md"}) {
    link(model_, name, folder_ / "outside" / name);
    EXPECT_THAT(refusal(model_),
                HasSubstr(text("'", name, "' is a symbolic link that leaves the model's folder")));
    fs::remove(model_ / name);
    fs::rename(folder_ / "outside" / name, model_ / name);
  }
  put(folder_ / "secret", "{{ anything }}");
  fs::create_symlink("../secret", model_ / "chat_template.jinja");
  EXPECT_THAT(refusal(model_), HasSubstr("'chat_template.jinja' is a symbolic link"));
}

}  // namespace
}  // namespace plumb::models
