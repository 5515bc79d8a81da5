#include "harness/cli/console.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "harness/cli/signals.h"

namespace plumb::harness {

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(30);

void put(std::FILE* stream, std::string_view line, std::string_view end = "\n") {
  std::fwrite(line.data(), 1, line.size(), stream);
  std::fwrite(end.data(), 1, end.size(), stream);
  std::fflush(stream);
}

const char* colour_of(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kPass:
      return "\033[32m";
    case VerdictKind::kFail:
    case VerdictKind::kInvalid:
      return "\033[31m";
    case VerdictKind::kInconclusive:
    case VerdictKind::kIncomparable:
      return "\033[33m";
    case VerdictKind::kNotRun:
      return "\033[2m";
  }
  return "";
}

}  // namespace

Format parse_format(const std::string& name) {
  if (name == "human") return Format::kHuman;
  if (name == "json") return Format::kJson;
  if (name == "quiet") return Format::kQuiet;
  throw Error(ErrorKind::kUsage,
              text("--format is '", printable(name), "', needed human, json or quiet"));
}

std::string printable(std::string_view raw) {
  std::string out;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n' || byte == '\t') {
      out += ' ';
    } else if (byte < 0x20 || byte == 0x7F) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out;
}

Console::Console(Format format) : format_(format) {
  const char* no_colour = std::getenv("NO_COLOR");
  colour_ = isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

void Console::say(std::string_view line) const {
  if (format_ == Format::kHuman) put(stdout, line);
}

void Console::result(const nlohmann::ordered_json& value) const {
  if (format_ == Format::kJson) put(stdout, value.dump(2));
}

void Console::warn(std::string_view line) const {
  if (format_ != Format::kQuiet) put(stderr, text("plumb: warning: ", printable(line)));
}

void Console::verdicts(const std::vector<Verdict>& verdicts) const {
  for (const Verdict& verdict : verdicts) {
    std::string name(verdict_name(verdict.kind));
    name.resize(12, ' ');
    if (colour_) name = colour_of(verdict.kind) + name + "\033[0m";
    say(text(name, " ", printable(verdict.title), ": ", printable(verdict.reason)));
  }
}

Progress::Progress(const Console& console, std::string label, Unit unit)
    : label_(std::move(label)),
      unit_(unit),
      quiet_(console.format() == Format::kQuiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_) put(stderr, "\r\033[K", "");
}

std::string Progress::line(int64_t done, int64_t all, const std::string& said) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  const bool bytes = unit_ == Unit::kBytes;
  const auto shown = [&](int64_t count) {
    return bytes ? bytes_text(static_cast<uint64_t>(count)) : text(count);
  };
  std::string out =
      text(label_, " ", shown(done), " of ", shown(all), said.empty() ? "" : ", ", said);
  const double rate = static_cast<double>(done - first_) / elapsed;
  if (!(rate > 0) || done >= all) return out;
  if (bytes) out += text(", ", bytes_text(static_cast<uint64_t>(rate)), "/s");
  return text(out, ", ", duration_text(static_cast<double>(all - done) / rate), " left");
}

void Progress::update(int64_t done, int64_t all, const std::string& said) {
  throw_if_interrupted();
  if (first_ < 0) first_ = done;
  if (quiet_) return;
  const auto now = Clock::now();
  const bool due =
      now - last_ >= (terminal_ ? Clock::duration(kRedraw) : Clock::duration(kLineEvery));
  if (!due) return;
  last_ = now;
  if (terminal_) {
    put(stderr, text("\r\033[K", line(done, all, said)), "");
    drawn_ = true;
  } else {
    put(stderr, line(done, all, said));
  }
}

std::string duration_text(double seconds) {
  if (seconds < 10) return number_text(seconds, 2) + " s";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 120) return text(whole, " s");
  if (whole < 7200) return text(whole / 60, " min ", whole % 60, " s");
  return text(whole / 3600, " h ", whole / 60 % 60, " min");
}

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
  return number_text(value, 3) + " " + kUnits[unit];
}

std::string number_text(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  std::string out = buffer;
  if (out.find('e') == std::string::npos) return out;
  if (std::abs(value) >= 1 && std::abs(value) < 1e15) {
    std::snprintf(buffer, sizeof buffer, "%.0f", value);
    return buffer;
  }
  return out;
}

std::string interval_text(const Interval& interval) {
  return text("[", number_text(interval.low, 3), ", ", number_text(interval.high, 3), "]");
}

std::string with_interval(double value, const Interval& interval) {
  return text(number_text(value, 3), " ", interval_text(interval));
}

std::string p_text(double p) { return p < 0.001 ? "< 0.001" : number_text(p, 2); }

}  // namespace plumb::harness
