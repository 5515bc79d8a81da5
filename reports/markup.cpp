#include "reports/markup.h"

#include "base/error.h"
#include "reports/escape.h"

namespace plumb::reports {

void Markup::start(std::string_view name, const Attributes& attributes) {
  out_ += '<';
  out_ += name;
  for (const auto& [key, value] : attributes) {
    out_ += ' ';
    out_ += key;
    out_ += "=\"";
    out_ += escape_markup(value);
    out_ += '"';
  }
}

Markup& Markup::open(std::string_view name, const Attributes& attributes) {
  start(name, attributes);
  out_ += '>';
  open_.emplace_back(name);
  return *this;
}

Markup& Markup::close() {
  if (open_.empty()) throw Error(ErrorKind::kInvariant, "markup: close() without an open element");
  out_ += "</" + open_.back() + ">";
  open_.pop_back();
  return *this;
}

Markup& Markup::text(std::string_view raw_text) {
  out_ += escape_markup(raw_text);
  return *this;
}

Markup& Markup::element(std::string_view name, const Attributes& attributes,
                        std::string_view raw_text) {
  return open(name, attributes).text(raw_text).close();
}

Markup& Markup::leaf(std::string_view name, const Attributes& attributes) {
  start(name, attributes);
  out_ += "/>";
  return *this;
}

Markup& Markup::raw(std::string_view trusted) {
  out_ += trusted;
  return *this;
}

const std::string& Markup::str() const {
  if (!open_.empty())
    throw Error(ErrorKind::kInvariant,
                plumb::text("markup: element '", open_.back(), "' was never closed"));
  return out_;
}

}  // namespace plumb::reports
