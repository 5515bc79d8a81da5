#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "reports/escape.h"
#include "reports/report.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;

bool is_time(const Record& record) {
  constexpr std::array<const char*, 4> kUnits{"ns", "us", "ms", "s"};
  return std::find(kUnits.begin(), kUnits.end(), record.unit) != kUnits.end();
}

/// "prefill_ms/strategy:simple/n:7".
std::string benchmark_name(const Record& record) {
  std::string out = clean_text(record.name);
  for (const Dimension& d : record.dimensions) {
    out += text("/", clean_text(d.name), ":");
    if (const auto* number = std::get_if<double>(&d.value)) out += shortest(*number);
    if (const auto* count = std::get_if<int64_t>(&d.value)) out += text(*count);
    if (const auto* words = std::get_if<std::string>(&d.value)) out += clean_text(*words);
    if (const auto* truth = std::get_if<bool>(&d.value)) out += *truth ? "true" : "false";
  }
  return out;
}

}  // namespace

std::string to_benchmark_json(const Report& report) {
  Json context = Json::object();
  context["executable"] = "plumb";
  context["cpu_time"] = "not measured: the time on the clock again";
  for (const auto& [group, facts] : report.provenance)
    for (const auto& [key, value] : facts)
      context[clean_text(group + ": " + key)] = clean_text(value);
  Json benchmarks = Json::array();
  int64_t family = 0;
  for (const Record& record : report.records) {
    if (!is_time(record)) continue;
    std::vector<double> samples = record.samples;
    const auto* value = std::get_if<double>(&record.value);
    if (samples.empty() && value) samples = {*value};
    const std::string name = benchmark_name(record);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!std::isfinite(samples[i]))
        throw Error(ErrorKind::kInvariant,
                    text("record '", name, "': sample ", i, " is ", samples[i]));
      benchmarks.push_back({{"name", name},
                            {"family_index", family},
                            {"per_family_instance_index", 0},
                            {"run_name", name},
                            {"run_type", "iteration"},
                            {"repetitions", samples.size()},
                            {"repetition_index", i},
                            {"threads", 1},
                            {"iterations", 1},
                            {"real_time", samples[i]},
                            {"cpu_time", samples[i]},
                            {"time_unit", record.unit}});
    }
    family += !samples.empty();
  }
  return escape_line_separators(
      Json{{"context", std::move(context)}, {"benchmarks", std::move(benchmarks)}}.dump(1) + "\n");
}

}  // namespace plumb::reports
