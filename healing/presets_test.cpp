#include "healing/presets.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/testing.h"

namespace plumb::healing {
namespace {

// The table as the paper prints it (appendix A.1): path, layers, vocabulary, sequence, fine-tuning tokens, peak rate, rank.
struct Printed {
  const char* path;
  int64_t layers, vocabulary, sequence, million_tokens;
  const char* rate;
  int64_t rank;
};
constexpr Printed kTable[] = {
    {"meta-llama/Llama-2-7b-hf", 32, 32000, 2048, 164, "3e-4", 2},
    {"meta-llama/Llama-2-13b-hf", 40, 32000, 4096, 328, "3e-4", 64},
    {"meta-llama/Llama-2-70b-hf", 80, 32000, 4096, 328, "3e-5", 8},
    {"Qwen/Qwen-7B", 32, 151936, 2048, 164, "3e-4", 64},
    {"Qwen/Qwen-14B", 40, 151936, 4096, 328, "3e-4", 64},
    {"mistralai/Mistral-7B-v0.1", 32, 32000, 2048, 164, "3e-6", 4},
    {"microsoft/phi-2", 32, 51200, 2048, 164, "2e-4", 64},
};

TEST(Presets, AreThePapers) {
  ASSERT_EQ(presets().size(), std::size(kTable));
  for (const Printed& row : kTable) {
    SCOPED_TRACE(row.path);
    const auto found = std::find_if(presets().begin(), presets().end(),
                                    [&](const Preset& p) { return p.repository == row.path; });
    ASSERT_NE(found, presets().end());
    EXPECT_EQ(found->block_count, row.layers);
    EXPECT_EQ(found->vocabulary_size, row.vocabulary);
    EXPECT_EQ(found->max_tokens, row.sequence);
    EXPECT_EQ(found->learning_rate, std::stod(row.rate));
    EXPECT_EQ(found->rank, row.rank);
    const auto tokens = static_cast<double>(Preset::kSteps * Preset::kBatch * found->max_tokens);
    EXPECT_EQ(std::llround(tokens / 1e6), row.million_tokens);
    EXPECT_EQ(&preset(found->name), &*found);
  }
}

TEST(Presets, RefuseAnUnknownName) {
  const Error error = plumb::testing::error_of([] { preset("llama-3-8b"); });
  EXPECT_EQ(error.kind(), ErrorKind::kUsage);
  EXPECT_NE(std::string(error.what()).find("mistral-7b"), std::string::npos);
}

}  // namespace
}  // namespace plumb::healing
