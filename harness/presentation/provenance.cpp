#include "base/error.h"
#include "harness/presentation/presentation.h"

namespace plumb::harness {

namespace {

Pairs model_pairs(const ModelFacts& m) {
  Pairs out = {{"origin", "a local file or folder"}};
  if (m.origin.is_known())
    out = {{"repository", m.origin.repository},
           {"revision asked for", m.origin.revision},
           {"commit", m.origin.commit}};
  const Pairs rest = {{"file", m.file},
                      {"name", m.name},
                      {"licence", m.license.empty() ? "the file names none" : m.license},
                      {"sha256", m.sha256},
                      {"bytes", text(m.file_bytes)},
                      {"architecture", text(m.architecture, ", ", m.block_count, " blocks, width ",
                                            m.width, ", vocabulary ", m.vocabulary_size)},
                      {"stored types", m.stored_types}};
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

Pairs prefixed(const std::string& prefix, const Pairs& pairs) {
  Pairs out;
  for (const auto& [key, value] : pairs) out.emplace_back(prefix + key, value);
  return out;
}

void append(Pairs& to, const Pairs& more) { to.insert(to.end(), more.begin(), more.end()); }

Pairs settings_pairs(const Run& run) {
  Pairs out = {{"dtype in effect", run.experiment.dtype},
               {"device in effect", run.experiment.device},
               {"threads in effect", text(run.experiment.threads)}};
  for (const Setting& setting : known_settings()) {
    const auto& value = run.settings.value(setting.key);
    const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    out.emplace_back(setting.key, text(value.is_null() ? "none" : shown, " (",
                                       run.settings.origin(setting.key), ")"));
  }
  return out;
}

}  // namespace

std::vector<std::pair<std::string, Pairs>> provenance_of(const Run& run) {
  Pairs data = prefixed("calibration ", text_pairs(run.profile.text));
  append(data, prefixed("validation ", text_pairs(run.sweep.text)));
  append(data, prefixed("text ", run.text_licence));
  append(data, healing_pairs(run));
  append(data, question_pairs(run));
  Pairs build = run.environment.build;
  append(build, run.libraries);
  return {{"model", model_pairs(run.model)},
          {"data", data},
          {"method", policy(run.experiment)},
          {"machine", run.environment.machine},
          {"build", build},
          {"command", {{"command", run.command_line}}},
          {"settings", settings_pairs(run)}};
}

}  // namespace plumb::harness
