#include "harness/healing/healing_output.h"

#include <cmath>
#include <cstdio>
#include <numeric>

#include "base/environment.h"
#include "base/error.h"
#include "healing/modules.h"

namespace plumb::harness {
namespace {

using Json = nlohmann::ordered_json;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool same_lengths(const HealingText& text) {
  const size_t first = text.validation.front().tokens.size();
  for (const ValidationDocument& document : text.validation)
    if (document.tokens.size() != first) return false;
  return true;
}

/// The mean over documents and, where they differ in length, over tokens.
Json loss_json(const HealingText& text, const std::vector<double>& losses, double log_vocabulary) {
  const double nats = mean(losses);
  Json json{{"loss_nats", nats}, {"normalised", nats / log_vocabulary}};
  if (same_lengths(text)) return json;
  double sum = 0, positions = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const auto count = static_cast<double>(text.validation[i].tokens.size() - 1);
    sum += losses[i] * count;
    positions += count;
  }
  json["loss_nats_over_tokens"] = sum / positions;
  return json;
}

std::string exact(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

double step_tokens(const HealingOptions& o) {
  return static_cast<double>(o.batch * o.accumulation * o.max_tokens);
}

}  // namespace

Json healing_json(const HealingRequest& request, const ModelFacts& model, const HealingText& text,
                  const HealingResult& result) {
  const HealingOptions& o = request.options;
  const double log_vocabulary = std::log(static_cast<double>(model.vocabulary_size));
  Json targets = Json::array();
  for (const auto target : o.lora.targets) targets.push_back(healing::target_name(target));
  Json lines = Json::array();
  int64_t tokens = 0;
  for (const ValidationDocument& document : text.validation) {
    lines.push_back(document.document);
    tokens += std::ssize(document.tokens);
  }
  const int64_t steps = std::ssize(result.rows) - result.resumed_steps;
  return {
      {"plumb", version_line()},
      {"model", to_json(model)},
      {"removed", o.plan.removed},
      {"original_indices", o.plan.kept()},
      {"strategy", o.plan.strategy},
      {"preset", o.preset.empty() ? Json() : Json(o.preset)},
      {"steps", o.steps},
      {"tokens", o.sequences() * o.max_tokens},
      {"max_tokens", o.max_tokens},
      {"batch", o.batch},
      {"accumulation", o.accumulation},
      {"packing", packing_name(o.packing)},
      {"special_tokens", o.special_tokens},
      {"rank", o.lora.rank},
      {"alpha", o.lora.alpha},
      {"dropout", o.lora.dropout},
      {"targets", targets},
      {"learning_rate", o.learning_rate},
      {"warm_up", o.warm_up},
      {"schedule", "cosine to 0"},
      {"optimizer", "AdamW, betas 0.9 and 0.999, epsilon 1e-8, no decay, gradients clipped to 1"},
      {"frozen_weights", "NF4, double quantisation"},
      {"dtype", std::string(models::dtype_name(o.dtype))},
      {"device", o.device},
      {"threads", o.threads},
      {"seed", o.seed},
      {"training",
       {{"file", text.documents.file},
        {"sha256", text.documents.sha256},
        {"documents", text.training_documents},
        {"sequences", text.training.size()},
        {"last_document", text.training.back().last_document}}},
      {"validation",
       {{"file", text.validation_file.file},
        {"sha256", text.validation_file.sha256},
        {"choice", text.validation_choice},
        {"documents", lines},
        {"tokens", tokens},
        {"before", loss_json(text, result.losses_before, log_vocabulary)},
        {"after", loss_json(text, result.losses_after, log_vocabulary)}}},
      {"run",
       {{"resumed_steps", result.resumed_steps},
        {"processes", result.processes},
        {"exchange", result.exchange.empty() ? Json() : Json(result.exchange)},
        {"seconds", result.seconds},
        {"tokens_per_second",
         steps > 0 ? Json(static_cast<double>(steps) * step_tokens(o) / result.seconds) : Json()},
        {"frozen_block_bytes", result.frozen_bytes},
        {"peak_resident_bytes", result.peak_resident_bytes}}}};
}

NamedFile training_file(const HealingOptions& options, const HealingResult& result) {
  std::string csv = "step,loss_nats,learning_rate,tokens_per_second\n";
  for (size_t i = 0; i < result.rows.size(); ++i) {
    const healing::TrainingRow& row = result.rows[i];
    csv += text(i, ",", exact(row.loss), ",", exact(row.learning_rate), ",",
                number_text(step_tokens(options) / row.seconds, 6), "\n");
  }
  return {"training.csv", csv};
}

void say_healing(const HealingOptions& options, const HealingResult& result,
                 int64_t vocabulary_size, const Console& console) {
  const double before = mean(result.losses_before), after = mean(result.losses_after);
  const double log_vocabulary = std::log(static_cast<double>(vocabulary_size));
  console.say(text("healed without blocks ", options.plan.removed_text(), " in ", options.steps,
                   " steps of ", options.batch * options.accumulation, " x ", options.max_tokens,
                   " tokens, rank ", options.lora.rank));
  console.say(text("validation loss ", number_text(before), " -> ", number_text(after),
                   " nats (normalised ", number_text(before / log_vocabulary), " -> ",
                   number_text(after / log_vocabulary), ")"));
}

}  // namespace plumb::harness
