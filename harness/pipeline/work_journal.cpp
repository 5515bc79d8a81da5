#include "harness/pipeline/work_journal.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"

namespace plumb::harness {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr size_t kDigits = 16;  // of a double's bits

std::string bits_text(std::span<const double> numbers) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(numbers.size() * kDigits);
  for (const double number : numbers) {
    const auto bits = std::bit_cast<uint64_t>(number);
    for (int shift = 60; shift >= 0; shift -= 4) out += kHex[bits >> shift & 15];
  }
  return out;
}

std::vector<double> numbers_of(const std::string& bits) {
  std::vector<double> out;
  for (size_t at = 0; at + kDigits <= bits.size(); at += kDigits) {
    uint64_t value = 0;
    std::from_chars(bits.data() + at, bits.data() + at + kDigits, value, 16);
    out.push_back(std::bit_cast<double>(value));
  }
  return out;
}

/// A value in an error, short enough for a line.
std::string shown(const Json& key, const std::string& name) {
  if (!key.contains(name)) return "absent";
  const Json& value = key.at(name);
  const std::string said = printable(value.is_string() ? value.get<std::string>() : value.dump());
  return said.size() > 40 ? said.substr(0, 16) + "..." : said;
}

}  // namespace

std::string key_differences(const Json& now, const Json& then) {
  std::vector<std::string> names;
  for (const auto& [name, value] : then.items()) names.push_back(name);
  for (const auto& [name, value] : now.items())
    if (!then.contains(name)) names.push_back(name);
  std::string different;
  for (const std::string& name : names)
    if (!now.contains(name) || !then.contains(name) || now.at(name) != then.at(name))
      different += text(different.empty() ? "" : ", ", name, " (", shown(then, name), ", now ",
                        shown(now, name), ")");
  return different;
}

void require_same_key(const Json& now, const Json& then, const fs::path& path) {
  const std::string different = key_differences(now, then);
  if (different.empty()) return;
  throw Error(
      ErrorKind::kUsage,
      text("'", path.string(), "' is of an unfinished run in which another was: ", different,
           "; give what it had to go on with it, --fresh to begin anew, or "
           "another --out"));
}

WorkJournal::WorkJournal(const fs::path& out, const std::string& command, const Json& key,
                         bool fresh, const Console& console)
    : out_(out),
      command_(command),
      console_(console),
      journal_(out / ".stages" / (command + ".journal")) {
  read(key, fresh);
  if (resumed_ > 0)
    console_.warn(text(resumed_, " finished steps of the run before are taken from '",
                       printable(journal_.path().string()), "'"));
}

void WorkJournal::read(const Json& key, bool fresh) {
  const bool damaged = journal_.is_damaged();
  const std::vector<std::string> lines = journal_.take_lines();
  if (damaged && !fresh)
    console_.warn(text("'", printable(journal_.path().string()), "' was changed after its line ",
                       lines.size(), "; what followed is computed again"));
  if (lines.empty() || fresh) {
    std::error_code ignored;
    fs::remove(out_ / "partial.json", ignored);
    journal_.begin(key.dump());
    return;
  }
  require_same_key(key, parse_json(lines.front()), journal_.path());
  for (size_t i = 1; i < lines.size(); ++i) {
    const Json line = parse_json(lines[i]);
    kept_[{line.at("sweep").get<std::string>(), line.at("step").get<size_t>()}] =
        numbers_of(line.at("bits").get<std::string>());
  }
  resumed_ = steps_ = static_cast<int64_t>(kept_.size());
}

pruning::StepLog WorkJournal::log(const std::string& sweep) {
  const size_t number = sweeps_.size();
  sweeps_.emplace_back(sweep, Progress{});
  return {[this, sweep, number](size_t step) -> std::optional<std::vector<double>> {
            ++sweeps_[number].second.all;
            const auto found = kept_.find({sweep, step});
            if (found == kept_.end()) return std::nullopt;
            ++sweeps_[number].second.done;
            return std::move(kept_.extract(found).mapped());
          },
          [this, number](size_t step, std::span<const double> numbers) {
            add(sweeps_[number].first, step, numbers);
            ++sweeps_[number].second.done;
            write_partial();
          }};
}

void WorkJournal::add(const std::string& sweep, size_t step, std::span<const double> numbers) {
  try {
    journal_.append(Json{{"sweep", sweep}, {"step", step}, {"bits", bits_text(numbers)}}.dump());
  } catch (const Error& error) {
    throw Error(error.kind(),
                text(error.what(), ": ", steps_,
                     " finished steps. Make room and give the same command again"),
                error.at());
  }
  ++steps_;
}

/// For people alone, so that it may fail.
void WorkJournal::write_partial() {
  Json json = {
      {"finished", false},
      {"command", command_},
      {"note", "no result yet: steps that are finished; the same command goes on from them"},
      {"sweeps", Json::array()}};
  for (const auto& [name, progress] : sweeps_)
    json["sweeps"].push_back(
        {{"name", name}, {"steps_finished", progress.done}, {"steps", progress.all}});
  try {
    write_file_atomically(out_ / "partial.json", json.dump(2) + "\n");
  } catch (const Error&) {
  }
}

void WorkJournal::publish(const std::vector<NamedFile>& files,
                          const std::vector<LargeFile>& large) {
  std::error_code ignored;
  fs::remove(out_ / "partial.json", ignored);
  harness::publish(files, out_, large);
  published_ = true;
  try {
    journal_.remove();
  } catch (const Error& error) {
    console_.warn(error.what());  // the results stand; the same command would only write them again
  }
}

WorkJournal::~WorkJournal() {
  std::error_code ignored;
  if (published_) return;
  if (steps_ == 0) {
    fs::remove(journal_.path(), ignored);
    return;
  }
  try {
    console_.warn(text(steps_, " finished steps are kept in '", printable(journal_.path().string()),
                       "'; the same command goes on from them"));
  } catch (...) {
  }
}

}  // namespace plumb::harness
