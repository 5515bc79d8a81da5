#pragma once

#include <cstdint>
#include <vector>

namespace plumb::models {

struct SingletonDecomposition {
  uint32_t character = 0, part = 0;
};
struct PairDecomposition {
  uint32_t character = 0, first = 0, second = 0;
  bool composes = false;  ///< the pair becomes the character again in form C
};
struct CombiningClass {
  uint32_t first = 0, last = 0;  ///< inclusive
  uint8_t value = 0;
};

// Canonical data of the Unicode Character Database without Hangul, which is arithmetic; ascending.
const std::vector<SingletonDecomposition>& singleton_decompositions();
const std::vector<PairDecomposition>& pair_decompositions();
const std::vector<CombiningClass>& combining_classes();

}  // namespace plumb::models
