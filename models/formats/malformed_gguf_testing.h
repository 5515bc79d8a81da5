#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "models/formats/malformed.h"

/// What the tables of malformed GGUF files are made with; nothing outside of *_test.cpp includes this.
namespace plumb::models::testing {

using fixtures::GgufField;
using fixtures::GgufFile;
using Words = std::vector<std::string>;

inline constexpr uint64_t kHuge = uint64_t{1} << 63;
inline constexpr uint64_t kMost = ~uint64_t{0};

/// A llama of one block, 18 metadata keys and 11 tensors.
inline const GgufFile& sound() {
  static const GgufFile file = [] {
    fixtures::TinyDecoderOptions small;
    small.block_count = 1;
    small.width = 32;
    small.feed_forward_width = 32;
    small.head_count = 2;
    return fixtures::tiny_gguf(fixtures::tiny_decoder(small), StoredType::kF16);
  }();
  return file;
}

/// The file m.gguf of what `make` gives.
inline MalformedCase bytes(const std::string& name, std::function<std::string()> make,
                           Words words) {
  return {name,
          [make = std::move(make)](const std::filesystem::path& folder) {
            fixtures::put(folder / "m.gguf", make());
          },
          std::move(words)};
}
inline MalformedCase changed(const std::string& name, std::function<void(GgufFile&)> change,
                             Words words) {
  return bytes(
      name,
      [change = std::move(change)] {
        GgufFile file = sound();
        change(file);
        return file.bytes();
      },
      std::move(words));
}
/// One key more.
inline MalformedCase with(const std::string& name, const std::string& key, GgufField field,
                          Words words) {
  return changed(
      name, [=](GgufFile& f) { f.metadata.emplace_back(key, field); }, std::move(words));
}
/// Another value of a key that is there.
inline MalformedCase instead(const std::string& name, const std::string& key, GgufField field,
                             Words words) {
  return changed(
      name, [=](GgufFile& f) { f.field(key) = field; }, std::move(words));
}

}  // namespace plumb::models::testing
