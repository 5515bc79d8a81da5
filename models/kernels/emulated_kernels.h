#pragma once

#include <algorithm>

#include "models/device.h"
#include "models/kernels/adamw_step.h"
#include "models/kernels/cross_entropy_gradient.h"
#include "models/kernels/head_rotation.h"
#include "models/kernels/lora_product.h"
#include "models/kernels/nf4_expand.h"
#include "models/kernels/rms_norm.h"

/// The kernels of a table with the host in the device's place: the same blocks of the same threads, one thread after the other. For
/// the fake plug-in of tests.
namespace plumb::models::emulated {

inline const char* nf4_quantize(const float* weights, uint8_t* codes, float* absmax, int64_t* bad,
                                int64_t count, void*) {
  const Nf4Quantize q{weights, codes, absmax, bad, count};
  if (const char* why = refusal(q)) return why;
  const auto first_bad = [](int64_t* place, int64_t index) { *place = std::min(*place, index); };
  run_on_host<kQuantizeThreads>(quantize_blocks(count), 16 * sizeof(float), [&](auto& block) {
    nf4_quantize_block(block, q, kNf4Bounds, first_bad);
  });
  return nullptr;
}

inline const char* nf4_expand(const Nf4Matrix* w, void* out, Element type, void*) {
  if (const char* why = refusal(*w, out, type)) return why;
  run_on_host<kExpandThreads>(expand_blocks(*w), 16 * sizeof(float), [&](auto& block) {
    type == Element::kFp32 ? nf4_expand_block(block, *w, static_cast<float*>(out), kNf4Levels)
                           : nf4_expand_block(block, *w, static_cast<Bf16*>(out), kNf4Levels);
  });
  return nullptr;
}

template <typename X>
void lora_low(const LoraProduct& p) {
  const bool wide = reads_in_fours(static_cast<const X*>(p.x), p.in) && reads_in_fours(p.a, p.in);
  run_on_host<kLoraThreads>(lora_low_blocks(p), 0,
                            [&](auto& block) { lora_low_block<X>(block, p, wide); });
}

inline const char* lora_product(const LoraProduct* p, void*) {
  if (const char* why = refusal(*p)) return why;
  if (p->rows == 0 || p->rank == 0 || p->out == 0) return nullptr;
  p->x_type == Element::kFp32 ? lora_low<float>(*p) : lora_low<Bf16>(*p);
  const bool wide = reads_in_fours(p->b, p->rank);
  run_on_host<kLoraThreads>(lora_add_blocks(*p), lora_shared_bytes(*p),
                            [&](auto& block) { lora_add_block(block, *p, wide); });
  return nullptr;
}

inline const char* rms_norm(const RmsNorm* n, void*) {
  if (const char* why = refusal(*n)) return why;
  with_types(n->x_type, [&](auto x) {
    with_types(n->y_type, [&](auto y) {
      using X = decltype(x);
      using Y = decltype(y);
      run_on_host<kNormThreads>(
          n->rows, 0, [&](auto& block) { rms_norm_block<X, Y>(block, *n, is_wide<X, Y>(*n)); });
    });
  });
  return nullptr;
}

inline const char* rms_norm_gradient(const RmsNormGradient* n, void*) {
  if (const char* why = refusal(*n)) return why;
  with_types(n->x_type, [&](auto x) {
    using X = decltype(x);
    run_on_host<kNormThreads>(
        n->rows, 0, [&](auto& block) { rms_norm_gradient_block<X>(block, *n, is_wide<X>(*n)); });
  });
  return nullptr;
}

inline const char* rotate_heads(const HeadRotation* h, void*) {
  if (const char* why = refusal(*h, false)) return why;
  run_on_host<kRotationThreads>(rotation_blocks(*h), 0, [&](auto& block) {
    h->x_type == Element::kFp32 ? rotate_heads_block<float>(block, *h)
                                : rotate_heads_block<Bf16>(block, *h);
  });
  return nullptr;
}

inline const char* rotate_heads_gradient(const HeadRotation* h, void*) {
  if (const char* why = refusal(*h, true)) return why;
  run_on_host<kRotationThreads>(rotation_blocks(*h), 0, [&](auto& block) {
    h->x_type == Element::kFp32 ? rotate_heads_gradient_block<float>(block, *h)
                                : rotate_heads_gradient_block<Bf16>(block, *h);
  });
  return nullptr;
}

inline const char* cross_entropy(const CrossEntropy* c, void*) {
  if (const char* why = refusal(*c)) return why;
  run_on_host<kLossThreads>(c->rows, 0, [&](auto& block) {
    c->type == Element::kFp32 ? cross_entropy_block<float>(block, *c, is_wide<float>(*c))
                              : cross_entropy_block<Bf16>(block, *c, is_wide<Bf16>(*c));
  });
  return nullptr;
}

inline const char* adamw_step(const AdamWStep* s, void*) {
  if (const char* why = refusal(*s)) return why;
  run_on_host<kStepThreads>(step_blocks(*s), 0, [&](auto& block) { adamw_block(block, *s); });
  return nullptr;
}

}  // namespace plumb::models::emulated
