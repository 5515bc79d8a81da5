#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Texts that every strict reader of JSON must take (json_texts_accepted.h), and texts that it must
/// refuse (json_texts_refused.h). Nothing outside of *_test.cpp includes these.
///
/// After RFC 8259, and the questions that Nicolas Seriot's JSONTestSuite puts to parsers; the texts
/// are our own. Where the RFC leaves a choice, Plumb's is here: a key that stands twice, a lone
/// surrogate, a number beyond doubles and nesting deeper than 64 are refused.
namespace plumb::testing {

struct JsonText {
  std::string name;  ///< its group and number
  std::string text;
};

inline std::vector<JsonText> numbered(const std::string& group,
                                      const std::vector<std::string>& texts) {
  std::vector<JsonText> out;
  for (const std::string& one : texts) out.push_back({group + std::to_string(out.size()), one});
  return out;
}

inline void append(std::vector<JsonText>& to, const std::vector<JsonText>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace plumb::testing
