#pragma once

#include <cstdint>
#include <initializer_list>

#include "models/device.h"

/// What is wrong with a kernel's arguments, or nullptr: told before anything is launched, the same by every device.
namespace plumb::models {

inline bool any_null(std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers)
    if (pointer == nullptr) return true;
  return false;
}
inline bool any_negative(std::initializer_list<int64_t> sizes) {
  for (const int64_t size : sizes)
    if (size < 0) return true;
  return false;
}
inline bool is_aligned(const void* pointer, uintptr_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}
inline bool is_known(Element type) { return type == Element::kFp32 || type == Element::kBf16; }

inline constexpr const char* kNullArgument = "a pointer is null";
inline constexpr const char* kNegativeArgument = "a size is negative";
inline constexpr const char* kUnknownElement = "the type of the values is unknown";

/// The largest grid of a CUDA device, and enough for any.
inline constexpr int64_t kMostBlocks = INT32_MAX;
inline constexpr const char* kTooLarge = "more blocks of threads are needed than a grid has";

}  // namespace plumb::models
