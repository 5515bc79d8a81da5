#pragma once

#include <string>
#include <string_view>

/// HellaSwag's text as lm-eval 0.4.13 gives it to a model, so that scores can be compared.
namespace plumb::harness {

/// Without white space at both ends; " [title]" becomes ". "; what stands in brackets on one line goes, brackets too;
/// then every two spaces become one, from the left, once.
std::string clean_hellaswag(std::string_view text);

/// "activity: a B": b's first letter made a capital and all others small, the whole cleaned. Letters by Unicode, one for
/// one: a capital that is two letters (ß) and the final form of sigma are left out.
std::string hellaswag_context(std::string_view activity, std::string_view a, std::string_view b);

}  // namespace plumb::harness
