#include "harness/pipeline/dry_run.h"

#include <filesystem>

#include "base/error.h"
#include "harness/experiment/experiment.h"
#include "harness/pipeline/estimate.h"
#include "harness/pipeline/model_preview.h"
#include "harness/pipeline/session.h"
#include "metrics/cost/arithmetic.h"
#include "metrics/cost/cost.h"
#include "pruning/sweep/trie.h"

namespace plumb::harness {

namespace fs = std::filesystem;

namespace {

/// The nearest folder above the results that is there: where a run would write and most likely read.
fs::path disk_of(const Experiment& e) {
  fs::path folder = fs::absolute(e.out.empty() ? "." : e.out);
  while (!fs::is_directory(folder) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

struct Prediction {
  ModelPreview model;
  Work work;
  MachineSpeed speed;
  double disk_bytes_per_second = 0;
  MemoryPlan memory;
  Times times;
};

Prediction predict(const Experiment& e, const Console& console) {
  Prediction p;
  p.model = preview_model(e.model, console);
  const models::ModelConfig& c = p.model.config;
  for (const TextChoice* choice : {&e.calibration_text(), &e.validation})
    if (choice->max_tokens > c.max_positions)
      throw Error(ErrorKind::kUsage, text("documents of ", choice->max_tokens,
                                          " tokens were asked for, needed at most the model's ",
                                          c.max_positions, " positions"));
  use_threads(e.threads);
  const auto trie = pruning::make_trie(likely_plans(e, c.block_count));
  p.work = work_of(e, c);
  p.memory =
      plan_memory(memory_needs(e, c, trie, metrics::resident_bytes()),
                  e.memory_limit_bytes > 0 ? e.memory_limit_bytes : available_memory_bytes());
  p.disk_bytes_per_second = disk_bytes_per_second(disk_of(e));
  p.speed =
      machine_speed(c, models::parse_dtype(e.dtype), e.documents_per_step, e.validation.max_tokens);
  p.times = times_of(p.work, p.speed, p.memory, p.model.file_bytes, p.disk_bytes_per_second);
  return p;
}

nlohmann::ordered_json json_of(const Prediction& p) {
  nlohmann::ordered_json memory;
  for (const auto& [name, value] : memory_pairs(p.memory)) memory[name] = value;
  return {{"model_bytes", p.model.file_bytes},
          {"model_bytes_predicted", p.model.predicted},
          {"fetched_bytes", p.model.missing_bytes},
          {"parameters", metrics::model_parameters(p.model.config)},
          {"streamed", p.memory.streamed},
          {"weight_bytes", p.memory.weight_bytes},
          {"peak_bytes", p.memory.peak_bytes},
          {"limit_bytes", p.memory.limit_bytes},
          {"least_limit_bytes", p.memory.least_limit_bytes},
          {"read_bytes", p.memory.streamed ? 2 * p.model.file_bytes : p.model.file_bytes},
          {"spilled_bytes", p.memory.spilled_bytes},
          {"memory", memory},
          {"plans", p.work.plans},
          {"block_evaluations", p.work.block_evaluations},
          {"block_flops_per_second", p.speed.block_flops_per_second},
          {"head_flops_per_second", p.speed.head_flops_per_second},
          {"decode_bytes_per_second", p.speed.decode_bytes_per_second},
          {"measured_width", p.speed.measured_width},
          {"disk_bytes_per_second", p.disk_bytes_per_second},
          {"load_seconds", p.times.load},
          {"profile_seconds", p.times.profile},
          {"sweep_seconds", p.times.sweep},
          {"questions", p.work.questions.questions},
          {"questions_missing", p.work.questions.missing},
          {"question_seconds", p.times.questions},
          {"healed_plans", p.work.healed_plans},
          {"heal_tokens", p.work.heal_tokens},
          {"heal_seconds", p.times.heal},
          {"heal_bytes", p.work.heal_bytes},
          {"cost_seconds",
           p.memory.streamed ? nlohmann::ordered_json() : nlohmann::ordered_json(p.times.cost)}};
}

std::string rate(double per_second, const char* unit) {
  return text(number_text(per_second / 1e9, 3), " ", unit);
}

void say_questions(const Prediction& p, const Console& console) {
  const QuestionWork& q = p.work.questions;
  if (q.questions > 0)
    console.say(text("answers  about ", duration_text(p.times.questions), " for ", q.questions,
                     " questions, about ", number_text(q.tokens, 2), " tokens"));
  for (const std::string& task : q.missing)
    console.say(text("         task ", task, " is not counted: its questions are not here"));
}

void say(const Prediction& p, const Experiment& e, const Console& console) {
  const MemoryPlan& m = p.memory;
  console.say(text("model    ", bytes_text(p.model.file_bytes),
                   p.model.predicted ? " of weights, from its config alone" : " on disk", ", ",
                   p.model.missing_bytes == 0 ? "nothing to fetch"
                                              : bytes_text(p.model.missing_bytes) + " to fetch"));
  for (const auto& [name, value] : memory_pairs(m))
    console.say(text(name == "memory limit" ? "memory   " : "         ", name, ": ", value));
  console.say(text("speed    ", rate(p.speed.block_flops_per_second, "GFLOP/s"), " in blocks",
                   p.speed.measured_width == p.model.config.width
                       ? std::string()
                       : text(" of width ", p.speed.measured_width),
                   ", ", rate(p.speed.head_flops_per_second, "GFLOP/s"), " in the head, ",
                   rate(p.speed.decode_bytes_per_second, "GB/s"), " of weights when decoding, ",
                   rate(p.disk_bytes_per_second, "GB/s"), " from the disk"));
  if (!m.streamed) console.say(text("load     about ", duration_text(p.times.load)));
  console.say(text("profile  about ", duration_text(p.times.profile), " for ",
                   e.calibration_text().limit, " documents"));
  console.say(text("sweep    about ", duration_text(p.times.sweep), " for ", p.work.plans,
                   " plans, about ", p.work.block_evaluations, " block evaluations"));
  say_questions(p, console);
  if (p.work.healed_plans > 0)
    console.say(text("heal     about ", duration_text(p.times.heal), " for ", p.work.healed_plans,
                     " plans, ", number_text(p.work.heal_tokens, 3), " tokens in all; about ",
                     bytes_text(p.work.heal_bytes), " beside the process itself"));
  console.say(m.streamed
                  ? std::string("cost     is not measured: it would be the disk's, not the model's")
                  : text("cost     about ", duration_text(p.times.cost), " for ",
                         p.work.configurations, " configurations"));
}

}  // namespace

int dry_run(Settings settings, const Console& console) {
  const Experiment experiment = make_experiment(settings);
  const Prediction prediction = predict(experiment, console);
  console.result(json_of(prediction));
  say(prediction, experiment, console);
  return 0;
}

}  // namespace plumb::harness
