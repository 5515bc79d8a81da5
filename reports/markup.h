#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plumb::reports {

/// An attribute whose value is still raw; the writer escapes it.
using Attribute = std::pair<std::string_view, std::string>;
using Attributes = std::vector<Attribute>;

/// Writes HTML that is at the same time well-formed XML, so that the page can be read back by any
/// XML parser. Text and attribute values are escaped here and nowhere else; element and attribute
/// names come from our own code.
class Markup {
 public:
  Markup& open(std::string_view name, const Attributes& attributes = {});
  /// Ends the innermost open element; Error{kInvariant} where none is open.
  Markup& close();
  Markup& text(std::string_view raw);
  /// open, text, close.
  Markup& element(std::string_view name, const Attributes& attributes, std::string_view raw);
  Markup& element(std::string_view name, std::string_view raw) { return element(name, {}, raw); }
  /// An element that never has content: meta, br, and SVG's shapes.
  Markup& leaf(std::string_view name, const Attributes& attributes = {});
  /// Markup that another writer made, as it is.
  Markup& raw(std::string_view trusted);
  /// A line break between elements, for people who read the source.
  Markup& line() { return raw("\n"); }

  /// What was written. Error{kInvariant} naming an element that is still open.
  const std::string& str() const;

 private:
  void start(std::string_view name, const Attributes& attributes);
  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace plumb::reports
