#pragma once

#include <string>
#include <string_view>

namespace plumb::reports {

/// The page's style sheet: no '<' and no '&', so that it stands in HTML and in XML alike; no url(),
/// no @import.
const std::string& style_sheet();

/// Content-Security-Policy of a page whose only inline resource is `style`: nothing may load,
/// nothing may run.
std::string content_security_policy(std::string_view style);

/// RFC 4648 with padding, of the bytes that `digits` spell in hexadecimal. Error{kInvariant} for
/// anything else.
std::string base64_of_hex(std::string_view digits);

}  // namespace plumb::reports
