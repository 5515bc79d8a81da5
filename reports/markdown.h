#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plumb::reports {

/// `clean_text` on one line that Markdown shows as it is, also in a table's cell: its marks, HTML and links lose their
/// meaning, '@' mentions nobody, and '#' links nothing. What stands for them is an entity, so that renderers agree.
std::string escape_markdown(std::string_view bytes);

/// A table of GitHub's Markdown; cells are raw and escaped here. Error{kInvariant} for a row of another width.
std::string markdown_table(const std::vector<std::string>& columns,
                           const std::vector<std::vector<std::string>>& rows);

}  // namespace plumb::reports
