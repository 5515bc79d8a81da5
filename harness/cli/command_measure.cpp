#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/common.h"
#include "harness/cli/verdict_output.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/measure_stage.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/stages.h"
#include "harness/pipeline/tables.h"
#include "harness/presentation/measured_report.h"
#include "pruning/plan.h"
#include "pruning/strategy.h"
#include "reports/report.h"

namespace plumb::harness {

namespace {

std::vector<Flag> flags() {
  return model_flags() +
         std::vector<Flag>{
             {"--n", "RANGE", "cost.n", "blocks removed, such as 0,7,14; default five values"},
             {"--plans", "FILE", "", "plans.csv with the blocks for each n; default: simple"},
             {"--contexts", "LIST", "", "tokens of a prompt, such as 32,256,1024; default 256"},
             {"--batch-sizes", "LIST", "", "prompts that run together, such as 1,4; default 1"},
             {"--tokens", "N", "", "tokens written after each prompt; default 32"},
             {"--prompts", "FILE", "",
              "JSON array of arrays of token ids; default: drawn by the seed"},
             {"--repetitions", "R", "cost.repetitions", "timed repetitions in a process"},
             {"--rounds", "R", "", "processes of each configuration; default 3"},
             {"--tolerance", "X", "",
              "smallest relative difference of times to be told apart; default 0.05"},
             {"--check", "", "", "exit with the verdicts' code: 7 where the times are INVALID"},
             {"--inconclusive", "CODE", "", "with --check, the code of INCONCLUSIVE: 3, 0 or 1"}};
}

int64_t number_or(const Arguments& arguments, const std::string& flag, int64_t otherwise,
                  int64_t least) {
  return arguments.has(flag) ? whole_number(arguments, flag, least) : otherwise;
}

/// "32,256,1024", ascending, each once.
std::vector<int64_t> list_or(const Arguments& arguments, const std::string& flag,
                             int64_t otherwise) {
  const auto given = arguments.get(flag);
  if (!given) return {otherwise};
  std::set<int64_t> out;
  std::istringstream words(*given + ",");
  for (std::string word; std::getline(words, word, ',');) {
    int64_t value = 0;
    const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (status != std::errc() || end != word.data() + word.size() || value < 1)
      throw Error(ErrorKind::kUsage,
                  text("'", printable(word), "' in ", flag, " '", printable(*given),
                       "' is no whole number of at least 1; needed is a list such as 32,256"));
    out.insert(value);
  }
  return {out.begin(), out.end()};
}

double tolerance(const Arguments& arguments) {
  const auto given = arguments.get("--tolerance");
  if (!given) return 0.05;
  size_t read = 0;
  double value = 0;
  try {
    value = std::stod(*given, &read);
  } catch (const std::exception&) {
    read = 0;
  }
  if (read != given->size() || !(value > 0 && value < 1))
    throw Error(ErrorKind::kUsage,
                text("--tolerance is '", printable(*given), "', needed a number between 0 and 1"));
  return value;
}

/// The blocks that go for each n: a file's plans, or the deepest but the last one.
std::vector<std::vector<int64_t>> removals(const Arguments& arguments, const Experiment& e,
                                           int64_t block_count) {
  std::vector<pruning::PruningPlan> known;
  if (const auto file = arguments.get("--plans")) known = read_plans_csv(*file, block_count);
  std::vector<std::vector<int64_t>> out;
  for (const int64_t n : cost_counts(e, block_count)) {
    if (n == 0 || known.empty()) {
      pruning::StrategyInputs inputs;
      inputs.block_count = block_count;
      out.push_back(pruning::make_plan("simple", n, inputs).removed);
      continue;
    }
    const auto plan = std::find_if(known.begin(), known.end(),
                                   [&](const auto& p) { return p.removed_count() == n; });
    if (plan == known.end())
      throw Error(ErrorKind::kUsage,
                  text("'", arguments.require("--plans"), "' has no plan that removes ", n,
                       " blocks; leave n = ", n, " out of --n"));
    out.push_back(plan->removed);
  }
  return out;
}

MeasurePlan plan_of(const Arguments& arguments, const Experiment& e,
                    const models::ModelConfig& config) {
  MeasurePlan plan;
  plan.rounds = number_or(arguments, "--rounds", 3, 1);
  plan.tokens = number_or(arguments, "--tokens", 32, 2);
  plan.prompts_file = arguments.get("--prompts").value_or("");
  plan.tolerance = tolerance(arguments);
  const auto contexts = list_or(arguments, "--contexts", 256),
             batches = list_or(arguments, "--batch-sizes", 1);
  if (contexts.back() + plan.tokens > config.max_positions)
    throw Error(ErrorKind::kUsage,
                text("prompts of ", contexts.back(), " tokens and ", plan.tokens,
                     " more were asked for; the model has ", config.max_positions, " positions"));
  for (const auto& removed : removals(arguments, e, config.block_count))
    for (const int64_t context : contexts)
      for (const int64_t batch : batches) plan.configurations.push_back({removed, context, batch});
  return plan;
}

std::string shown(const std::optional<uint64_t>& bytes) { return bytes ? bytes_text(*bytes) : "-"; }

/// Only where a device was used.
void say_device(const MeasureResult& result, const Console& console) {
  if (!result.measured.front().device) return;
  console.say(text("on the device '", result.measured.front().device->name, "'"));
  console.say("    n context batch  allocated   reserved    process  predicted    energy");
  for (const Measured& m : result.measured) {
    const MeasuredOnDevice& d = *m.device;
    char line[200];
    std::snprintf(
        line, sizeof line, "%5d %7d %5d %10s %10s %10s %10s %9s", static_cast<int>(m.n()),
        static_cast<int>(m.configuration.context), static_cast<int>(m.configuration.batch),
        shown(largest(d.allocated_bytes)).c_str(), shown(largest(d.reserved_bytes)).c_str(),
        shown(largest(d.process_bytes)).c_str(), bytes_text(d.predicted_bytes).c_str(),
        d.joules.empty() ? "-" : (number_text(median(d.joules), 3) + " J").c_str());
    console.say(line);
  }
  const MeasuredOnDevice& first = *result.measured.front().device;
  for (const auto& [what, why] : {std::pair("allocated and reserved", first.no_allocator),
                                  {"process", first.no_process},
                                  {"energy", first.no_joules}})
    if (!why.empty()) console.say(text("  no ", what, ": ", why));
}

void say_table(const MeasureResult& result, const Console& console) {
  console.say(
      "    n context batch   first token  between tokens (medians)  tokens/s      peak   "
      "predicted");
  for (const Measured& m : result.measured) {
    const double between = median(m.times("between_tokens"));
    char line[200];
    std::snprintf(line, sizeof line, "%5d %7d %5d %10.2f ms %12.3f ms %21.1f %9s %11s",
                  static_cast<int>(m.n()), static_cast<int>(m.configuration.context),
                  static_cast<int>(m.configuration.batch), median(m.times("first_token")), between,
                  1e3 * static_cast<double>(m.configuration.batch) / between,
                  bytes_text(m.peak()).c_str(), shown(largest(m.predicted_peak_bytes)).c_str());
    console.say(line);
  }
  say_device(result, console);
}

std::string command_line(const Arguments& arguments) {
  std::string out = "plumb";
  for (const std::string& word : arguments.command_line) out += " " + word;
  return out;
}

int run_measure(const Arguments& arguments, const Console& console) {
  const int inconclusive = inconclusive_code(arguments);
  Settings settings = settings_from(arguments, flags());
  Experiment experiment = make_experiment(settings);
  const std::string out = require_out(experiment);
  find_model(experiment, console);
  const auto checkpoint = models::Checkpoint::open(experiment.model);
  const MeasurePlan plan = plan_of(arguments, experiment, checkpoint.config());
  for (const Configuration& c : plan.configurations)
    experiment.prefill_tokens = std::max(experiment.prefill_tokens, c.context * c.batch);
  if (const std::string refusal = cost_refusal(experiment, checkpoint.config()); !refusal.empty())
    throw Error(ErrorKind::kResource, refusal);
  const MeasureResult result = measure_stage(experiment, plan, "/proc/self/exe", console);
  const Verdict valid = timings_valid(result);
  std::vector<Verdict> verdicts = {valid};
  for (Verdict& v : measured_verdicts(result)) verdicts.push_back(std::move(v));

  const ModelFacts facts = model_facts(checkpoint, experiment.model_origin);
  auto json = common_json(experiment, facts);
  json.erase("policy");
  json.update(measured_json(result, valid));
  const auto report = measured_report(result, verdicts, facts, command_line(arguments));
  std::vector<NamedFile> files = measured_files(result);
  files.emplace_back("measure.json", json.dump(2) + "\n");
  files.emplace_back("junit.xml", reports::to_junit_xml(report));
  files.emplace_back("report.md", reports::to_markdown(report));
  files.emplace_back("results.json", reports::to_results_json(report));
  files.emplace_back("report.html", reports::to_html(report));
  publish(files, out);
  json["verdicts"] = verdicts_json(verdicts);
  console.result(json);
  say_table(result, console);
  console.verdicts(verdicts);
  console.say(valid.kind == VerdictKind::kPass ? "times: VALID" : "times: INVALID");
  console.say(wrote(files, out));
  if (!arguments.has("--check")) return 0;
  const int code = exit_code(verdicts);
  return code == 3 ? inconclusive : code;
}

}  // namespace

Command measure_command() {
  return {"measure", "memory and time by blocks removed, context and batch; whether the times hold",
          "plumb measure --model model.gguf --n 0,7,14 --contexts 32,256 --out cost", flags(),
          run_measure};
}

}  // namespace plumb::harness
