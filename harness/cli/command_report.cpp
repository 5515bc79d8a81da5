#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "harness/cli/common.h"
#include "harness/gate/history.h"
#include "harness/pipeline/run.h"
#include "harness/presentation/comparison_report.h"
#include "harness/presentation/curves.h"
#include "harness/presentation/presentation.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::string known_formats() {
  std::string out;
  for (const reports::Format& format : reports::formats())
    out += text(out.empty() ? "" : ",", format.word);
  return out;
}

std::vector<Flag> report_flags() {
  return {
      {"RUN", "DIR", "", "folders of finished `plumb run`s; of several one report compares them"},
      {"--run", "DIR", "", "the same as one RUN; without --out its own files are written anew"},
      {"--out", "DIR", "", "where the files go"},
      {"--formats", "LIST", "",
       "any of " + known_formats() + "; default html,json,junit,provenance"},
      {"--curve", "[WHAT=]FILE", "",
       "a curve to hold the run against: CSV of fraction,value,half-width; WHAT is loss (default) "
       "or a task; "
       "may be given again"},
      {"--history", "FILE", "", "the trend of every number of a history, as history.html in --out"},
      {"--validate", "FILE", "", "check a results.json against the schema"}};
}

int report_history(const Arguments& arguments, const Console& console) {
  const std::filesystem::path file = arguments.require("--history"),
                              out = arguments.require("--out");
  const History history(file, History::Access::kRead);
  const reports::Report report = history_report(history.rows(), file.filename().string());
  publish({{"history.html", reports::to_html(report)}}, out);
  const std::string page = out / "history.html";
  console.result({{"report", page}});
  console.say(printable(page));
  return 0;
}

int validate(const std::string& file, const Console& console) {
  try {
    reports::validate_results(read_file(file));
  } catch (const Error& error) {
    throw error.within(printable(file));
  }
  console.result({{"valid", true}, {"file", file}});
  console.say(text(printable(file), " is valid"));
  return 0;
}

std::vector<std::string> folders_of(const Arguments& arguments) {
  std::vector<std::string> out;
  for (const char* flag : {"RUN", "--run"})
    if (const auto found = arguments.values.find(flag); found != arguments.values.end())
      out.insert(out.end(), found->second.begin(), found->second.end());
  return out;
}

std::vector<reports::Format> formats_of(const Arguments& arguments) {
  const auto words = split_list(arguments.get("--formats").value_or("html,json,junit,provenance"));
  if (words.empty())
    throw Error(ErrorKind::kUsage, "--formats names none, needed any of " + known_formats());
  std::vector<reports::Format> out;
  for (const std::string& word : words)
    if (std::none_of(reports::formats().begin(), reports::formats().end(),
                     [&](const auto& format) { return format.word == word; }))
      throw Error(ErrorKind::kUsage,
                  text("--formats has '", printable(word), "', needed any of ", known_formats()));
  // In the order in which they are written, the page last.
  for (const reports::Format& format : reports::formats())
    if (std::find(words.begin(), words.end(), format.word) != words.end()) out.push_back(format);
  return out;
}

std::vector<PublishedCurve> curves_of(const Arguments& arguments) {
  std::vector<PublishedCurve> out;
  const auto found = arguments.values.find("--curve");
  if (found == arguments.values.end()) return out;
  for (const std::string& word : found->second) {
    const size_t at = word.find('=');
    out.push_back(at == std::string::npos ? read_curve(word, "loss")
                                          : read_curve(word.substr(at + 1), word.substr(0, at)));
  }
  return out;
}

int run_report(const Arguments& arguments, const Console& console) {
  const std::vector<std::string> folders = folders_of(arguments);
  if (!folders.empty() + arguments.has("--validate") + arguments.has("--history") != 1)
    throw Error(ErrorKind::kUsage,
                "needed one of folders of runs, --validate FILE and --history FILE");
  if (arguments.has("--history")) return report_history(arguments, console);
  if (folders.empty()) return validate(arguments.require("--validate"), console);
  const bool in_place = !arguments.has("--out");
  if (in_place && (folders.size() > 1 || arguments.has("--formats") || arguments.has("--curve")))
    throw Error(ErrorKind::kUsage, "no output folder was named, needed --out DIR");
  const std::vector<PublishedCurve> curves = curves_of(arguments);
  std::vector<Run> runs;
  for (const std::string& folder : folders) runs.push_back(load_run(folder));
  if (in_place) {
    publish_run(runs.front(), judge(runs.front()), folders.front());
    const std::string report = folders.front() + "/report.html";
    console.result({{"report", report}});
    console.say(printable(report));
    return 0;
  }
  if (runs.size() > 1 && !curves.empty())
    throw Error(ErrorKind::kUsage, "--curve is held against one run, and several were named");
  const std::string out = arguments.require("--out");
  const auto formats = formats_of(arguments);
  const reports::Report report = runs.size() == 1
                                     ? build_report(runs.front(), judge(runs.front()), curves)
                                     : build_comparison(runs, folders);
  std::vector<NamedFile> files;
  for (const reports::Format& format : formats)
    files.emplace_back(format.file, format.write(report));
  publish(files, out);
  nlohmann::ordered_json written = nlohmann::ordered_json::array();
  for (const NamedFile& file : files) written.push_back(out + "/" + file.first);
  console.result({{"files", written}});
  console.say(printable(wrote(files, out)));
  return 0;
}

}  // namespace

Command report_command() {
  return {"report",
          "write a run's report anew or in other formats, compare runs, or validate a results.json",
          "plumb report runs/a runs/b --out compared --formats html,md", report_flags(),
          run_report};
}

}  // namespace plumb::harness
