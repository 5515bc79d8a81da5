#include "harness/pipeline/measure_stage.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/pipeline/child_process.h"
#include "harness/pipeline/facts.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> child_arguments(const Experiment& e, const MeasurePlan& plan,
                                         const Configuration& c) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  std::vector<std::string> out = {"measure-child",
                                  "--model",
                                  e.model,
                                  "--dtype",
                                  e.dtype,
                                  "--device",
                                  e.device,
                                  "--threads",
                                  number(e.threads),
                                  "--seed",
                                  std::to_string(e.seed),
                                  "--context",
                                  number(c.context),
                                  "--batch",
                                  number(c.batch),
                                  "--tokens",
                                  number(plan.tokens),
                                  "--repetitions",
                                  number(e.repetitions),
                                  "--format",
                                  "json"};
  if (!c.removed.empty()) {
    std::string blocks;
    for (const int64_t block : c.removed) blocks += (blocks.empty() ? "" : ",") + number(block);
    out.insert(out.end(), {"--blocks", blocks});
  }
  if (!plan.prompts_file.empty()) out.insert(out.end(), {"--prompts", plan.prompts_file});
  return out;
}

Json child_result(const ChildOutput& child, const std::string& what) {
  if (child.exit_code != 0) {
    const std::string said = child.err.substr(0, child.err.find('\n'));
    const bool known = child.exit_code == 2 || child.exit_code == 4;
    throw Error(known ? static_cast<ErrorKind>(child.exit_code) : ErrorKind::kResource,
                text("measuring ", what, " ended with code ", child.exit_code, ": ",
                     said.empty() ? "the child process said nothing" : said));
  }
  try {
    return parse_json(child.out);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInternal,
                text("measuring ", what, ": the child's result cannot be read: ", error.what()));
  }
}

std::string libraries() {
  std::string out;
  for (const auto& [name, version] : library_facts())
    out += text(out.empty() ? "" : ", ", name, " ", version);
  return out;
}

/// One child to run.
struct Turn {
  size_t configuration;
  bool second_arm;
};

/// Forth in even rounds and back in odd ones, so that what drifts meets all alike; the second arm at the end of the way.
std::vector<Turn> turns(size_t count, int64_t round) {
  std::vector<Turn> out;
  for (size_t i = 0; i < count; ++i) out.push_back({i, false});
  out.push_back({0, true});
  if (round % 2 == 1) std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

MeasureResult measure_stage(const Experiment& experiment, const MeasurePlan& plan,
                            const std::string& program, const Console& console) {
  const auto start = std::chrono::steady_clock::now();
  MeasureResult result;
  result.system = describe_system("/");
  result.system.set("framework", text("plumb, ", libraries()));
  result.standing = standing_doubts("/");
  result.rounds = plan.rounds;
  result.tolerance = plan.tolerance;
  for (const Configuration& c : plan.configurations) {
    result.measured.emplace_back();
    result.measured.back().configuration = c;
  }
  const auto all = plan.rounds * static_cast<int64_t>(plan.configurations.size() + 1);
  int64_t done = 0;
  Progress progress(console, "measure: process");
  for (int64_t round = 0; round < plan.rounds; ++round)
    for (const Turn& turn : turns(plan.configurations.size(), round)) {
      progress.update(done++, all);
      Measured& m = result.measured[turn.configuration];
      const std::string what = text("n = ", m.n(), ", context ", m.configuration.context,
                                    ", batch ", m.configuration.batch);
      const Json child = child_result(
          run_child(program, child_arguments(experiment, plan, m.configuration)), what);
      add_child(m, child, round, turn.second_arm);
      if (!turn.second_arm)
        result.benchmarks.push_back(
            {{"prefix", text("n:", m.n(), "/context:", m.configuration.context,
                             "/batch:", m.configuration.batch, "/")},
             {"report", child.at("benchmark")}});
    }
  // What ran, whatever else the machine has; it tells these times from the CPU's as well.
  if (const auto& device = result.measured.front().device) {
    result.system.set("accelerator_model_name", device->product);
    result.system.set("accelerator_memory_capacity", bytes_text(device->total_bytes));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace plumb::harness
