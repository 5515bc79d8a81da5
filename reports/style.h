#pragma once

#include <string>
#include <string_view>

namespace plumb::reports {

/// The page's style sheet: no '<' and no '&', so that it stands in HTML and in XML alike; no url(),
/// no @import.
const std::string& style_sheet();

/// Makes the headings of tables buttons that sort. No '<' and no '&', as the style sheet; asks for
/// nothing, writes no markup. A page without it lacks nothing else.
const std::string& page_script();

/// Content-Security-Policy of a page whose only inline resources are `style` and `script`: nothing
/// may load, nothing else may run.
std::string content_security_policy(std::string_view style, std::string_view script);

/// RFC 4648 with padding, of the bytes that `digits` spell in hexadecimal. Error{kInvariant} for
/// anything else.
std::string base64_of_hex(std::string_view digits);

}  // namespace plumb::reports
