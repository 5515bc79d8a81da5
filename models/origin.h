#pragma once

#include <string>

namespace plumb::models {

/// Where a model was fetched from; all empty for one that was on this machine.
struct Origin {
  std::string repository;  ///< "org/name"
  std::string revision;    ///< as it was asked for: a branch, a tag or a commit
  std::string commit;      ///< what that meant then; 40 hex digits

  bool is_known() const { return !repository.empty(); }
  bool operator==(const Origin&) const = default;
};

}  // namespace plumb::models
