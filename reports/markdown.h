#pragma once

#include <string>
#include <vector>

namespace plumb::reports {

/// A table of GitHub's Markdown; cells are raw and escaped here. Error{kInvariant} for a row of another width.
std::string markdown_table(const std::vector<std::string>& columns,
                           const std::vector<std::vector<std::string>>& rows);

}  // namespace plumb::reports
