#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/testing.h"
#include "fixtures/formats/tiny_model.h"
#include "fixtures/synthetic/tiny_decoder.h"
#include "harness/pipeline/child_process.h"

/// The program of this build, run on a model and a text small enough for a second. For tests alone.
namespace plumb::harness::testing {

namespace fs = std::filesystem;

inline ChildOutput plumb(const std::vector<std::string>& words) {
  return run_child(std::string(PLUMB_BINARY_DIR) + "/plumb", words);
}

/// One JSONL line of printable ASCII, `count` tokens to the tiny model's tokenizer of bytes.
inline std::string tiny_document(int seed, int count) {
  std::string words;
  for (int i = 0; i < count; ++i)
    words += static_cast<char>('a' + (i * (seed + 3) + i * i / 7) % 26);
  return "{\"text\": \"" + words + "\"}\n";
}

/// Questions for the tiny model, whose tokenizer knows bytes alone; the long common beginning is shared.
inline std::string tiny_questions(int count = 12) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    lines += R"({"question": "which of these comes after the word number )" + number +
             R"( ?", "choices": ["one )" + number + R"(", "two", "three three", "f"], "answer": )" +
             std::to_string(i % 4) + "}\n";
  }
  return lines;
}

/// A folder with model.gguf (10 blocks, F32) and text.jsonl (20 documents of 40 tokens).
class TinyCase : public ::testing::Test {
 protected:
  void SetUp() override {
    fixtures::TinyDecoderOptions options;
    options.block_count = 10;
    const auto file =
        fixtures::tiny_gguf(fixtures::tiny_decoder(options), models::StoredType::kF32);
    model_bytes_ = file.bytes();
    fixtures::put(model(), model_bytes_);
    std::string lines;
    for (int document = 0; document < 20; ++document) lines += tiny_document(document, 40);
    fixtures::put(text_file(), lines);
  }

  std::string model() const { return folder_ / "model.gguf"; }
  std::string text_file() const { return folder_ / "text.jsonl"; }
  std::string out() const { return folder_ / "out"; }
  std::string path(const std::string& name) const { return folder_ / name; }
  const std::string& model_bytes() const { return model_bytes_; }

  /// `plumb run` of the whole chain in about a second.
  std::vector<std::string> run_words() const {
    return {"run",
            "--model",
            model(),
            "--documents",
            text_file(),
            "--calibration",
            text_file(),
            "--out",
            out(),
            "--set",
            "dtype=fp32",
            "--set",
            "threads=1",
            "--set",
            "validation.max_tokens=32",
            "--set",
            "validation.limit=16",
            "--set",
            "calibration.max_tokens=32",
            "--set",
            "calibration.limit=18",
            "--set",
            "statistics.draws=200",
            "--set",
            "sweep.n=0-8",
            "--set",
            "heal.n=",
            "--set",
            "cost.n=0,2,4,6,8",
            "--set",
            "cost.prefill_tokens=16",
            "--set",
            "cost.decode_context=8",
            "--set",
            "cost.decode_tokens=2",
            "--set",
            "cost.repetitions=2"};
  }

  /// Everything below the case's folder, so that what a failure leaves is seen.
  std::set<std::string> everything() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      names.insert(entry.path().lexically_relative(folder_.path()).string());
    return names;
  }

 private:
  plumb::testing::TemporaryFolder folder_;
  std::string model_bytes_;
};

}  // namespace plumb::harness::testing
