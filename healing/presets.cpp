#include "healing/presets.h"

#include <array>

#include "base/error.h"

namespace plumb::healing {
namespace {

constexpr std::array<Preset, 7> kPresets = {{
    {"llama-2-7b", "meta-llama/Llama-2-7b-hf", 32, 32000, 2048, 3e-4, 2},
    {"llama-2-13b", "meta-llama/Llama-2-13b-hf", 40, 32000, 4096, 3e-4, 64},
    {"llama-2-70b", "meta-llama/Llama-2-70b-hf", 80, 32000, 4096, 3e-5, 8},
    {"qwen-7b", "Qwen/Qwen-7B", 32, 151936, 2048, 3e-4, 64},
    {"qwen-14b", "Qwen/Qwen-14B", 40, 151936, 4096, 3e-4, 64},
    {"mistral-7b", "mistralai/Mistral-7B-v0.1", 32, 32000, 2048, 3e-6, 4},
    {"phi-2", "microsoft/phi-2", 32, 51200, 2048, 2e-4, 64},
}};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

const Preset& preset(std::string_view name) {
  std::string known;
  for (const Preset& one : kPresets) {
    if (one.name == name) return one;
    known += (known.empty() ? "" : ", ") + std::string(one.name);
  }
  throw Error(ErrorKind::kUsage, text("there is no preset '", name, "'; there are ", known));
}

}  // namespace plumb::healing
