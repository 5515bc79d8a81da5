#include "models/kernels/panels.h"

#include <ATen/Parallel.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "models/kernels/scratch.h"

namespace plumb::models::kernels {

extern const PanelKernels kPortableKernels;
#if defined(__x86_64__) && defined(__GNUC__)
extern const PanelKernels kAvx2Kernels;
#ifndef PLUMB_NO_WIDE_KERNELS
#define PLUMB_WIDE_KERNELS
extern const PanelKernels kAvx512Kernels, kAvx512Bf16Kernels, kAmxKernels;
#endif
#endif

std::span<const PanelKernels* const> all_panel_kernels() {
  static const std::array kAll = {
#ifdef PLUMB_WIDE_KERNELS
    &kAmxKernels,
    &kAvx512Bf16Kernels,
    &kAvx512Kernels,
#endif
#if defined(__x86_64__) && defined(__GNUC__)
    &kAvx2Kernels,
#endif
    &kPortableKernels
  };
  return kAll;
}

namespace {

/// Intel's cores multiply pairs of bf16 in one unit every other cycle, which is half of what their two fp32 units do:
/// 86 against 175 GFLOP/s a core (Emerald Rapids at 2.7 GHz, AMX hidden). AMD's do both at once.
bool outrun_by_fp32([[maybe_unused]] const PanelKernels& kernels) {
#ifdef PLUMB_WIDE_KERNELS
  return &kernels == &kAvx512Bf16Kernels && __builtin_cpu_is("intel");
#else
  return false;
#endif
}

const PanelKernels& choose() {
  const char* asked = std::getenv("PLUMB_KERNELS");
  std::string known;
  for (const PanelKernels* kernels : all_panel_kernels()) {
    if (asked == nullptr || *asked == '\0') {
      if (kernels->supported() && !outrun_by_fp32(*kernels)) return *kernels;
    } else if (kernels->name == asked) {
      if (kernels->supported()) return *kernels;
      throw Error(ErrorKind::kResource, text("PLUMB_KERNELS asks for '", asked,
                                             "', which this CPU does not have; unset it"));
    }
    known += text(known.empty() ? "" : ", ", kernels->name);
  }
  throw Error(ErrorKind::kUsage, text("PLUMB_KERNELS is '", asked, "'; known are ", known));
}

}  // namespace

const PanelKernels& panel_kernels() {
  static const PanelKernels& kBest = choose();
  return kBest;
}

void run_tasks(int64_t count, const std::function<void(int64_t)>& task) {
  std::atomic<int64_t> next{0};
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), count);
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t i = next++; i < count; i = next++) task(i);
  });
}

void run_shares(int64_t shares, const std::function<void(int64_t, int64_t)>& work) {
  at::parallel_for(0, shares, 1, work);
}

}  // namespace plumb::models::kernels
