#include "models/collectives.h"

#include <dlfcn.h>

namespace plumb::models {

const CollectiveTable* collectives_of(const KernelTable& kernels) {
  Dl_info place;
  if (dladdr(&kernels, &place) == 0 || place.dli_fname == nullptr) return nullptr;
  void* library = dlopen(place.dli_fname, RTLD_NOW | RTLD_NOLOAD);  // stays open, as it was
  if (library == nullptr) return nullptr;
  using TableFunction = const CollectiveTable* (*)();
  const auto function = reinterpret_cast<TableFunction>(dlsym(library, kCollectiveTableSymbol));
  const CollectiveTable* table = function != nullptr ? function() : nullptr;
  return table != nullptr && table->version == kCollectiveTableVersion ? table : nullptr;
}

}  // namespace plumb::models
