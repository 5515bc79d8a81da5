#include <charconv>
#include <cstdio>
#include <map>

#include "base/error.h"
#include "harness/answers/comparison_files.h"
#include "harness/cli/common.h"
#include "harness/cli/verdict_output.h"
#include "harness/pipeline/publish.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::vector<Flag> compare_flags() {
  return {{"A", "LOG", "", "a log of answers (JSONL), or a folder of `plumb eval` or `plumb run`"},
          {"B", "LOG", "", "what is compared with it"},
          {"--plan-a", "PLAN", "",
           "strategy:n of A, such as similarity:7; default: its only one, else each with its "
           "namesake in B"},
          {"--plan-b", "PLAN", "", "the same of B"},
          {"--tasks", "LIST", "", "tasks to compare; default: all"},
          {"--margin", "SHARE", "", "B may be less accurate by less than this; default 0.02"},
          {"--seed", "S", "", "of the resamples; default 0"},
          {"--inconclusive", "CODE", "", "exit code of INCONCLUSIVE: 3 (default), 0 or 1"},
          {"--out", "DIR", "", "writes compare.json, compare.csv and junit.xml there"}};
}

double margin_of(const Arguments& arguments) {
  const std::string word = arguments.get("--margin").value_or("0.02");
  double value = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status != std::errc() || end != word.data() + word.size() || !(value > 0 && value < 1))
    throw Error(ErrorKind::kUsage, text("--margin is '", printable(word),
                                        "', needed a share of the questions between 0 and 1"));
  return value;
}

CompareOptions options_of(const Arguments& arguments) {
  CompareOptions options;
  options.plan_a = arguments.get("--plan-a").value_or("");
  options.plan_b = arguments.get("--plan-b").value_or("");
  options.tasks = split_list(arguments.get("--tasks").value_or(""));
  options.margin = margin_of(arguments);
  if (arguments.has("--seed"))
    options.seed = static_cast<uint64_t>(whole_number(arguments, "--seed", 0));
  return options;
}

void say_left_out(const ChosenPairs& chosen, const Console& console) {
  const auto say = [&](const std::vector<std::string>& names, const char* log) {
    if (!names.empty())
      console.warn(text(names.size(), " plans of log ", log, " alone are left out, such as ",
                        names.front()));
  };
  say(chosen.only_in_a, "A");
  say(chosen.only_in_b, "B");
}

void say_numbers(const std::vector<Comparison>& comparisons, const Console& console) {
  console.say(
      "task         metric    plan A, plan B if another            A       B   B - A  95 % interval"
      "     only A  only B  p (Holm)");
  for (const Comparison& c : comparisons) {
    if (c.metric.empty()) continue;
    const Interval& shown = c.deciding();
    const std::string plans = c.plans.a + (c.plans.a == c.plans.b ? "" : ", " + c.plans.b);
    char line[256];
    std::snprintf(line, sizeof line,
                  "%-12.12s %-8s  %-30.30s  %6.4f  %6.4f  %+.4f  %+.4f..%+.4f  %6d  %6d  %.2g",
                  printable(c.task).c_str(), c.metric.c_str(), printable(plans).c_str(),
                  c.accuracy_a, c.accuracy_b, c.difference, shown.low, shown.high,
                  static_cast<int>(c.counts.only_second), static_cast<int>(c.counts.only_first),
                  c.p_holm);
    console.say(line);
  }
}

void say_verdicts(const std::vector<Verdict>& verdicts, const Console& console) {
  console.verdicts(verdicts);
  std::map<std::string_view, int> counts;
  for (const Verdict& verdict : verdicts) {
    ++counts[verdict_name(verdict.kind)];
    if (verdict.kind != VerdictKind::kInconclusive || verdicts.size() > 1) continue;
    console.say(verdict.next_step);
  }
  std::string sum;
  for (const auto& [name, count] : counts) sum += text(sum.empty() ? "" : ", ", count, " ", name);
  console.say(sum);
}

int run_compare(const Arguments& arguments, const Console& console) {
  const int inconclusive = inconclusive_code(arguments);
  const CompareOptions options = options_of(arguments);
  const auto out = arguments.get("--out");
  if (out) try_writable_folder(*out);
  const AnswerLog a = read_answer_log(arguments.require("A"));
  const AnswerLog b = read_answer_log(arguments.require("B"));
  const ChosenPairs chosen = choose_pairs(a, b, options);
  say_left_out(chosen, console);
  const std::vector<Comparison> comparisons = compare_logs(a, b, chosen.pairs, options);
  std::vector<Verdict> verdicts;
  for (const Comparison& c : comparisons) verdicts.push_back(c.verdict);

  nlohmann::ordered_json json = comparisons_json(comparisons, a, b, options);
  json.update(verdicts_json(verdicts));
  console.result(json);
  say_numbers(comparisons, console);
  say_verdicts(verdicts, console);
  if (out) {
    reports::Report report;
    report.title = "plumb compare";
    report.verdicts = verdicts;
    const std::vector<NamedFile> files{{"compare.csv", comparisons_csv(comparisons)},
                                       {"junit.xml", reports::to_junit_xml(report)},
                                       {"compare.json", json.dump(2) + "\n"}};
    remove_leftovers(*out);
    publish(files, *out);
    console.say(wrote(files, *out));
  }
  const int code = exit_code(verdicts);
  return code == 3 ? inconclusive : code;
}

}  // namespace

Command compare_command() {
  return {"compare",
          "whether B answers questions as well as A: paired tests of two logs, no model needed",
          "plumb compare eval-whole eval-pruned --plan-a similarity:0 --plan-b similarity:7",
          compare_flags(), run_compare};
}

}  // namespace plumb::harness
