#include "harness/pipeline/peak_memory.h"

#include <malloc.h>

#include <fstream>

namespace plumb::harness {

namespace {

constexpr int kLeastMapped = 64 << 10;
constexpr int kMostMapped = 32 << 20;  // glibc's greatest threshold

}  // namespace

MappedTensors::MappedTensors() { mallopt(M_MMAP_THRESHOLD, kLeastMapped); }
MappedTensors::~MappedTensors() { mallopt(M_MMAP_THRESHOLD, kMostMapped); }

bool reset_peak() {
  malloc_trim(0);
  std::ofstream file("/proc/self/clear_refs");
  file << "5";
  file.close();
  return file.good();
}

}  // namespace plumb::harness
