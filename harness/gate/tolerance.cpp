#include "harness/gate/tolerance.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "base/json_fields.h"
#include "harness/cli/console.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kForm =
    "METRIC:abs|rel:LIMIT[:warn|fail] such as loss:rel:+1% or mmlu.acc:abs:-0.01";

[[noreturn]] void refuse(std::string_view word, const std::string& what) {
  throw Error(ErrorKind::kUsage,
              plumb::text("tolerance '", printable(word), "': ", what, "; needed is ", kForm));
}

bool is_name(std::string_view word) {
  return !word.empty() && word.size() <= 200 && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '*';
  });
}

/// "similarity:7", "*".
bool is_plan(std::string_view word) {
  if (word == "*") return true;
  const size_t colon = word.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view n = word.substr(colon + 1);
  return is_name(word.substr(0, colon)) && !n.empty() && n.size() < 6 &&
         std::ranges::all_of(n, [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string_view> split(std::string_view word) {
  std::vector<std::string_view> out;
  for (size_t begin = 0;;) {
    const size_t end = word.find(':', begin);
    out.push_back(word.substr(begin, end - begin));
    if (end == std::string_view::npos) return out;
    begin = end + 1;
  }
}

void read_limit(std::string_view whole, std::string_view word, Tolerance& out) {
  const bool percent = word.ends_with('%');
  if (percent) word.remove_suffix(1);
  if (word.starts_with('+') || word.starts_with('-')) {
    out.sign = word.front() == '+' ? 1 : -1;
    word.remove_prefix(1);
  }
  const auto [end, status] =
      std::from_chars(word.data(), word.data() + word.size(), out.limit, std::chars_format::fixed);
  if (word.empty() || word.front() < '0' || word.front() > '9' || status != std::errc() ||
      end != word.data() + word.size() || !std::isfinite(out.limit))
    refuse(whole, "the limit is no number");
  if (percent && !out.relative) refuse(whole, "per cent go with rel alone");
  if (percent) out.limit /= 100;
  if (out.relative && out.limit > 10) refuse(whole, "a relative limit above 1000 %");
}

Severity severity_of(std::string_view whole, std::string_view word) {
  if (word == "fail") return Severity::kFail;
  if (word == "warn") return Severity::kWarn;
  refuse(whole, "the severity is neither warn nor fail");
}

Tolerance tolerance_of(const Json& json, const std::string& path) {
  if (json.is_string()) return parse_tolerance(json.get<std::string>());
  if (!json.is_object() || !json.contains("tolerance") || !json["tolerance"].is_string())
    throw Error(ErrorKind::kUsage, plumb::text(path, " is no tolerance; needed is ", kForm,
                                               ", or an object with the member tolerance"));
  require_known_keys(json, {"tolerance", "severity"}, path);
  Tolerance out = parse_tolerance(json["tolerance"].get<std::string>());
  if (json.contains("severity"))
    out.severity =
        severity_of(out.text(), json["severity"].is_string() ? json["severity"].get<std::string>()
                                                             : json["severity"].dump());
  return out;
}

std::vector<Tolerance> tolerances_of(const Json& json, const std::string& path) {
  if (!json.is_array()) throw Error(ErrorKind::kUsage, path + " is no array");
  std::vector<Tolerance> out;
  for (size_t i = 0; i < json.size(); ++i)
    out.push_back(tolerance_of(json[i], plumb::text(path, "[", i, "]")));
  return out;
}

/// 2026-12-31, as text that sorts by day.
bool is_day(const std::string& word) {
  static constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (word.size() != 10 || word[4] != '-' || word[7] != '-') return false;
  for (size_t i = 0; i < word.size(); ++i)
    if (i != 4 && i != 7 && (word[i] < '0' || word[i] > '9')) return false;
  const int month = std::stoi(word.substr(5, 2)), day = std::stoi(word.substr(8, 2));
  return month >= 1 && month <= 12 && day >= 1 && day <= kDays[month - 1];
}

std::string text_member(const Json& json, const char* name, const std::string& path,
                        bool required) {
  if (!json.contains(name) && !required) return "";
  if (!json.contains(name) || !json[name].is_string() || json[name].get<std::string>().empty())
    throw Error(ErrorKind::kUsage, plumb::text(path, ".", name, " is missing or no text"));
  return json[name].get<std::string>();
}

Waiver waiver_of(const Json& json, const std::string& path) {
  if (!json.is_object()) throw Error(ErrorKind::kUsage, path + " is no object");
  require_known_keys(json, {"metric", "model", "until", "reason"}, path);
  Waiver out{text_member(json, "metric", path, true), text_member(json, "model", path, false),
             text_member(json, "until", path, true), text_member(json, "reason", path, true)};
  if (!is_day(out.until))
    throw Error(ErrorKind::kUsage, plumb::text(path, ".until is '", printable(out.until),
                                               "'; needed is a day such as 2026-12-31"));
  return out;
}

bool begins(const std::string& sha256, const std::string& beginning) {
  return sha256.rfind(beginning, 0) == 0;
}

}  // namespace

std::string Tolerance::name() const { return plan.empty() ? metric : metric + "[" + plan + "]"; }

std::string Tolerance::text() const {
  return plumb::text(name(), relative ? ":rel:" : ":abs:",
                     sign > 0   ? "+"
                     : sign < 0 ? "-"
                                : "",
                     shortest(relative ? std::round(limit * 1e12) / 1e10 : limit),
                     relative ? "%" : "", severity == Severity::kWarn ? ":warn" : "");
}

Tolerance parse_tolerance(std::string_view word) {
  Tolerance out;
  std::string_view rest = word;
  const size_t end = rest.find_first_of("[:");
  if (end == std::string_view::npos) refuse(word, "no limit was given");
  out.metric = rest.substr(0, end);
  if (!is_name(out.metric)) refuse(word, "no name of a metric");
  rest.remove_prefix(end);
  if (rest.front() == '[') {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) refuse(word, "'[' without ']'");
    out.plan = rest.substr(1, close - 1);
    if (!is_plan(out.plan)) refuse(word, "the plan is neither strategy:n nor *");
    rest.remove_prefix(close + 1);
    if (!rest.starts_with(':')) refuse(word, "no limit was given");
  }
  const auto parts = split(rest.substr(1));
  if (parts.size() < 2 || parts.size() > 3) refuse(word, "not three or four parts");
  if (parts[0] != "abs" && parts[0] != "rel") refuse(word, "neither abs nor rel");
  out.relative = parts[0] == "rel";
  read_limit(word, parts[1], out);
  if (parts.size() == 3) out.severity = severity_of(word, parts[2]);
  return out;
}

std::vector<Tolerance> default_tolerances() {
  std::vector<Tolerance> out;
  for (const char* word : {"loss:rel:+1%", "*.acc:abs:-0.02", "prefill.tok_s:rel:-5%",
                           "decode.tok_s:rel:-5%", "peak_rss:rel:+2%"}) {
    out.push_back(parse_tolerance(word));
    out.back().by_default = true;
  }
  return out;
}

GateConfig parse_gate_config(std::string_view text_of_it) {
  Json json;
  try {
    json = parse_json(text_of_it);
  } catch (const Error& error) {
    throw Error(ErrorKind::kUsage, error.what());
  }
  if (!json.is_object()) throw Error(ErrorKind::kUsage, "the configuration is no JSON object");
  require_known_keys(json, {"alpha", "tolerances", "models", "waivers"}, "");
  GateConfig out;
  if (json.contains("alpha")) {
    if (!json["alpha"].is_number() || !(json["alpha"].get<double>() > 0) ||
        !(json["alpha"].get<double>() < 0.5))
      throw Error(ErrorKind::kUsage, "alpha is no number between 0 and 0.5");
    out.alpha = json["alpha"].get<double>();
  }
  if (json.contains("tolerances")) out.tolerances = tolerances_of(json["tolerances"], "tolerances");
  const Json models = json.value("models", Json::object());
  if (!models.is_object()) throw Error(ErrorKind::kUsage, "models is no object");
  for (const auto& [sha256, own] : models.items()) {
    const std::string path = "models." + printable(sha256);
    if (sha256.size() < 8)
      throw Error(ErrorKind::kUsage, path + ": needed are at least 8 digits of the model's sha256");
    if (!own.is_object()) throw Error(ErrorKind::kUsage, path + " is no object");
    require_known_keys(own, {"tolerances"}, path);
    out.models.push_back(
        {sha256, tolerances_of(own.value("tolerances", Json::array()), path + ".tolerances")});
  }
  const Json waivers = json.value("waivers", Json::array());
  if (!waivers.is_array()) throw Error(ErrorKind::kUsage, "waivers is no array");
  for (size_t i = 0; i < waivers.size(); ++i)
    out.waivers.push_back(waiver_of(waivers[i], plumb::text("waivers[", i, "]")));
  return out;
}

std::vector<Tolerance> tolerances_for(const GateConfig& config, const std::string& model_sha256) {
  std::vector<Tolerance> out = config.tolerances;
  for (const GateConfig::Model& model : config.models) {
    if (!begins(model_sha256, model.sha256)) continue;
    for (const Tolerance& own : model.tolerances) {
      const auto same = std::ranges::find(out, own.name(), &Tolerance::name);
      if (same == out.end())
        out.push_back(own);
      else
        *same = own;
    }
  }
  return out;
}

const Waiver* waiver_for(const GateConfig& config, const Tolerance& tolerance,
                         const std::string& model_sha256) {
  const Waiver* found = nullptr;
  for (const Waiver& waiver : config.waivers)
    if (waiver.metric == tolerance.name() && begins(model_sha256, waiver.model) &&
        (found == nullptr || found->until < waiver.until))
      found = &waiver;
  return found;
}

}  // namespace plumb::harness
