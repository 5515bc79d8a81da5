#include "harness/experiment/experiment.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/healing/healing_options.h"
#include "harness/pipeline/memory_plan.h"
#include "harness/verify/claims.h"
#include "models/compute_device.h"
#include "pruning/plan.h"
#include "pruning/strategy.h"

namespace plumb::harness {

namespace {

TextChoice text_choice(const Settings& settings, const std::string& section) {
  return {settings.text_of(section + ".documents"), settings.count_of(section + ".max_tokens"),
          settings.count_of(section + ".limit")};
}

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

void require_known(const std::vector<std::string>& words, const std::vector<std::string>& known,
                   const std::string& what, const std::string& origin) {
  for (const std::string& word : words) {
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    const std::string near = nearest(word, known);
    throw Error(ErrorKind::kUsage, text(origin, ": there is no ", what, " '", word, "'",
                                        near.empty() ? "" : ", did you mean '" + near + "'?",
                                        "; known are ", listed(known)));
  }
}

std::string decide_dtype(const Settings& settings) {
  const std::string dtype = settings.text_of("dtype");
  if (dtype == "fp32" || dtype == "bf16") return dtype;
  if (dtype == "auto") return cpu_has_bf16_units() ? "bf16" : "fp32";
  throw Error(ErrorKind::kUsage, text(settings.origin("dtype"), ": dtype is '", dtype,
                                      "', needed fp32, bf16 or auto"));
}

/// 0 for "auto".
uint64_t memory_limit(const Settings& settings) {
  const std::string words = settings.text_of("memory_limit");
  if (words == "auto") return 0;
  try {
    return parse_bytes(words);
  } catch (const Error& error) {
    throw error.within(settings.origin("memory_limit"));
  }
}

/// Other devices than "auto" are opened where they are used: a report can be written again where there is none.
void decide_device(const Settings& settings, Experiment& e) {
  e.device = settings.text_of("device");
  if (e.device == "auto") {
    const models::ComputeDevice device = models::open_device("auto");
    e.device = device.is_cpu() ? "cpu" : "cuda";
    e.device_reason = device.reason;
  } else if (e.device != "cpu" && e.device != "cuda" && !e.device.ends_with(".so")) {
    throw Error(ErrorKind::kUsage,
                text(settings.origin("device"), ": device is '", e.device,
                     "', needed cpu, cuda, auto or the file of a plug-in (.so)"));
  }
}

void require_strategies(const Settings& settings, const Experiment& experiment) {
  std::vector<std::string> known;
  for (const std::string& name : pruning::strategy_names())
    if (name != "explicit") known.push_back(name);
  require_known(experiment.strategies, known, "strategy", settings.origin("sweep.strategies"));
  auto sorted = experiment.strategies;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw Error(ErrorKind::kUsage, text(settings.origin("sweep.strategies"), ": strategy '", *twice,
                                        "' is listed twice, needed each once"));
}

/// The setting where something set it, else the preset's value.
HealChoice heal_choice(const Settings& settings, const Experiment& e) {
  HealingOptions preset;
  if (const std::string name = settings.text_of("heal.preset"); !name.empty()) {
    try {
      take_preset(name, preset);
    } catch (const Error& error) {
      throw error.within(settings.origin("heal.preset"));
    }
  }
  const auto stands = [&](const char* key) {
    return preset.preset.empty() || settings.origin(key) != "default";
  };
  const auto count = [&](const char* key, int64_t of_preset) {
    return stands(key) ? settings.count_of(key) : of_preset;
  };
  const auto number = [&](const char* key, double of_preset) {
    return stands(key) ? settings.number_of(key) : of_preset;
  };
  HealChoice c;
  c.n = settings.text_of("heal.n");
  c.strategies = settings.list_of("heal.strategies");
  if (c.strategies.empty()) c.strategies = e.strategies;
  c.preset = preset.preset;
  c.documents = settings.text_of("heal.documents");
  c.max_tokens = count("heal.max_tokens", preset.max_tokens);
  c.batch = count("heal.batch", preset.batch);
  c.accumulation = count("heal.accumulation", preset.accumulation);
  c.steps = count("heal.steps", preset.steps);
  c.rank = count("heal.rank", preset.lora.rank);
  c.alpha = settings.value("heal.alpha").is_null() ? static_cast<double>(c.rank)
                                                   : settings.number_of("heal.alpha");
  c.dropout = number("heal.dropout", preset.lora.dropout);
  c.targets = settings.list_of("heal.targets");
  c.learning_rate = number("heal.learning_rate", preset.learning_rate);
  c.warm_up = settings.value("heal.warm_up").is_null() ? healing::default_warm_up(c.steps)
                                                       : settings.count_of("heal.warm_up");
  c.packing = settings.text_of("heal.packing");
  c.special_tokens = e.special_tokens || preset.special_tokens;
  c.steps_per_state = settings.count_of("heal.steps_per_state");
  c.seed = static_cast<uint64_t>(settings.count_of("heal.seed"));
  return c;
}

void require_healable(const Settings& settings, const Experiment& e) {
  const HealChoice& c = e.heal;
  require_known(c.strategies, e.strategies, "strategy of the sweep",
                settings.origin("heal.strategies"));
  parse_packing(c.packing, settings.origin("heal.packing") + ": heal.packing");
  if (!c.is_asked()) return;
  if (c.documents.empty())
    throw Error(ErrorKind::kUsage, text(settings.origin("heal.n"),
                                        ": plans are to be healed and no text to train on was "
                                        "named, needed heal.documents"));
  for (const auto& [name, text_of_stage] :
       {std::pair("calibration", &e.calibration_text()), std::pair("validation", &e.validation)})
    if (text_of_stage->file == c.documents)
      throw Error(ErrorKind::kUsage,
                  text("heal.documents is the text of ", name,
                       " too; needed is another one, as nothing may be trained on that is "
                       "measured or chosen by"));
  healing::learning_rate({c.learning_rate, c.steps, c.warm_up}, 0);  // refuses what is wrong
}

/// Every n of `list` in 0..most.
std::vector<int64_t> counts(const std::string& list, const std::string& key, int64_t most) {
  std::vector<int64_t> values;
  try {
    values = pruning::parse_range_list(list);
  } catch (const Error& error) {
    throw error.within(key);
  }
  for (const int64_t n : values)
    if (n < 0 || n > most)
      throw Error(ErrorKind::kUsage, text(key, ": n = ", n, " is out of range, needed 0..", most,
                                          " for a model of ", most + 1, " blocks"));
  return values;
}

}  // namespace

Experiment make_experiment(Settings& settings) {
  Experiment e;
  e.dtype = decide_dtype(settings);
  settings.choose_dtype(e.dtype);
  decide_device(settings, e);
  e.name = settings.text_of("name");
  e.model = settings.text_of("model");
  e.out = settings.text_of("out");
  e.threads = settings.count_of("threads");
  if (e.threads == 0) e.threads = available_threads();
  if (e.threads > 4096)
    throw Error(ErrorKind::kUsage,
                text(settings.origin("threads"), ": ", e.threads, " threads, needed 0..4096"));
  e.memory_limit_bytes = memory_limit(settings);
  e.seed = static_cast<uint64_t>(settings.count_of("seed"));
  e.special_tokens = settings.switch_of("special_tokens");
  e.documents_per_step = settings.count_of("documents_per_step");
  e.rows_per_pack = settings.count_of("rows_per_pack");
  e.calibration = text_choice(settings, "calibration");
  e.validation = text_choice(settings, "validation");
  e.strategies = settings.list_of("sweep.strategies");
  e.sweep_n = settings.text_of("sweep.n");
  e.deepest = settings.switch_of("sweep.deepest");
  e.positions = settings.count_of("sweep.positions");
  e.questions = {settings.list_of("questions.tasks"), settings.text_of("questions.data"),
                 settings.count_of("questions.limit"), settings.count_of("questions.sample")};
  e.heal = heal_choice(settings, e);
  e.draws = settings.count_of("statistics.draws");
  e.cost_n = settings.text_of("cost.n");
  e.prefill_tokens = settings.count_of("cost.prefill_tokens");
  e.decode_context = settings.count_of("cost.decode_context");
  e.decode_tokens = settings.count_of("cost.decode_tokens");
  e.repetitions = settings.count_of("cost.repetitions");
  e.required_claims = settings.list_of("claims.required");
  require_strategies(settings, e);
  require_healable(settings, e);
  require_known(e.required_claims, claim_names(), "claim", settings.origin("claims.required"));
  return e;
}

std::vector<int64_t> sweep_counts(const Experiment& experiment, int64_t block_count) {
  if (!experiment.sweep_n.empty()) return counts(experiment.sweep_n, "sweep.n", block_count - 1);
  std::vector<int64_t> values;
  for (int64_t n = 0; n <= std::max<int64_t>(0, block_count - 2); ++n) values.push_back(n);
  return values;
}

std::vector<int64_t> deepest_counts(const Experiment& experiment, int64_t block_count) {
  std::vector<int64_t> values;
  const auto& named = experiment.strategies;
  if (!experiment.deepest || std::find(named.begin(), named.end(), "deepest") != named.end())
    return values;
  for (const int64_t n : sweep_counts(experiment, block_count))
    if (n > 0 && 4 * n <= block_count) values.push_back(n);
  return values;
}

std::vector<int64_t> cost_counts(const Experiment& experiment, int64_t block_count) {
  if (!experiment.cost_n.empty()) return counts(experiment.cost_n, "cost.n", block_count - 1);
  // As far as a sweep goes, and at least one block removed where there is one to remove.
  const int64_t most = std::min(std::max<int64_t>(block_count - 2, 1), block_count - 1);
  std::vector<int64_t> values;
  for (int64_t i = 0; i < 5; ++i) values.push_back(i * most / 4);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

namespace {

/// Of heal.n those that the sweep has, or those that it has not.
std::vector<int64_t> heal_values(const Experiment& experiment, int64_t block_count, bool swept) {
  std::vector<int64_t> out;
  if (!experiment.heal.is_asked()) return out;
  const auto known = sweep_counts(experiment, block_count);
  for (const int64_t n : counts(experiment.heal.n, "heal.n", INT64_MAX - 1))
    if ((std::find(known.begin(), known.end(), n) != known.end()) == swept) out.push_back(n);
  return out;
}

}  // namespace

std::vector<int64_t> heal_counts(const Experiment& experiment, int64_t block_count) {
  return heal_values(experiment, block_count, true);
}

std::string heal_left_out(const Experiment& experiment, int64_t block_count) {
  std::string list;
  for (const int64_t n : heal_values(experiment, block_count, false))
    list += text(list.empty() ? "" : ", ", n);
  if (list.empty()) return "";
  return text("n = ", list,
              " of heal.n is not healed: the sweep, which healed losses are compared "
              "with, has it not");
}

}  // namespace plumb::harness
