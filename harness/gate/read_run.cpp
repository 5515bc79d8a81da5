// A run folder as a gate sees it.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "base/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "harness/gate/snapshot.h"
#include "reports/versioned.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What `read` refuses names `file`.
template <typename Read>
auto naming(const fs::path& file, Read read) {
  try {
    return read();
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInput, text(file.string(), ": ", json_fault(error.what())));
  } catch (const std::out_of_range&) {  // a fact that FactMap::at did not find
    throw Error(ErrorKind::kInput, text(file.string(),
                                        ": a fact about the run is missing; needed "
                                        "is a file that plumb has written"));
  } catch (const Error& error) {
    if (std::string(error.what()).find(file.string()) != std::string::npos) throw;
    throw error.within(file.string());
  }
}

FactMap facts_from(const Json& group) {
  FactMap out;
  for (const auto& [name, value] : group.items()) out[name] = value.get<std::string>();
  return out;
}

/// "256" of "256 (flag --set)", as provenance.json shows a setting.
std::string setting(const FactMap& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second.substr(0, found->second.find(" ("));
}

/// The word before `unit` in "llama, 30 blocks, width 576, vocabulary 49152", or behind it.
std::string word_at(const std::string& sentence, const std::string& unit, bool before) {
  const size_t at = sentence.find(unit);
  if (at == std::string::npos) return "";
  if (!before) {
    const size_t begin = at + unit.size();
    return sentence.substr(begin, sentence.find(',', begin) - begin);
  }
  const size_t begin = sentence.rfind(' ', at - 2) + 1;
  return sentence.substr(begin, at - begin);
}

/// Results of 1.0 have no subject: the same facts from provenance.json, where they are written for people.
void subject_of_provenance(const Json& provenance, GateSnapshot& out) {
  const Json& groups = provenance.at("provenance");
  const FactMap model = facts_from(groups.at("model")), data = facts_from(groups.at("data"));
  const FactMap method = facts_from(groups.at("method"));
  const FactMap settings = facts_from(groups.at("settings"));
  const std::string shape = model.at("architecture");
  out.model = {{"name", model.at("name")},
               {"sha256", model.at("sha256")},
               {"architecture", shape.substr(0, shape.find(','))},
               {"width", word_at(shape, "width ", false)},
               {"vocabulary", word_at(shape, "vocabulary ", false)},
               {"blocks", word_at(shape, " blocks", true)}};
  const std::string positions = setting(settings, "sweep.positions");
  const bool all = method.at("positions") == "the loss is over all positions";
  const std::string documents = data.at("validation documents");  // "24 x 256 tokens"
  const size_t x = documents.find("x ");
  out.loss = {{"file", data.at("validation file")},
              {"sha256", data.at("validation sha256")},
              {"tokens of a document", documents.substr(x + 2, documents.find(' ', x + 2) - x - 2)},
              {"special tokens", method.at("special tokens")},
              {"positions", all ? "all" : text(positions, " by seed ", setting(settings, "seed"))},
              {"dtype", settings.at("dtype in effect")}};
  out.cost = {{"dtype", settings.at("dtype in effect")},
              {"device", settings.at("device in effect")},
              {"threads", settings.at("threads in effect")},
              {"prefill tokens", setting(settings, "cost.prefill_tokens")},
              {"decode context", setting(settings, "cost.decode_context")},
              {"decode tokens", setting(settings, "cost.decode_tokens")}};
  out.system = facts_from(groups.at("machine"));
  out.system.erase("memory limit");
  for (const auto& [name, value] : facts_from(groups.at("build")))
    if (name == "build type" || name == "compiler" || name.rfind("libtorch", 0) == 0 ||
        name == "CPU capability of libtorch" || name == "bf16 units" ||
        name.rfind("device", 0) == 0)
      out.system[name] = value;
}

void read_subject(const Json& results, const fs::path& folder, GateSnapshot& out) {
  if (results.contains("subject") && !results["subject"].empty()) {
    const Json& subject = results["subject"];
    out.model = facts_from(subject.at("model"));
    out.loss = facts_from(subject.at("loss"));
    out.cost = facts_from(subject.at("cost"));
    out.system = facts_from(subject.at("system"));
    return;
  }
  const fs::path file = folder / "provenance.json";
  naming(file, [&] { subject_of_provenance(parse_json(read_file(file)), out); });
}

std::string word(const Json& dimensions, const char* name) {
  return dimensions.contains(name) && dimensions[name].is_string()
             ? dimensions[name].get<std::string>()
             : "";
}

/// "similarity:7", or "similarity" of a number about a whole curve.
std::string plan_of(const Json& dimensions) {
  std::string out = word(dimensions, "strategy");
  if (dimensions.contains("n") && dimensions["n"].is_number_integer())
    out += text(":", dimensions["n"].get<int64_t>());
  return out;
}

void read_record(const Json& record, GateSnapshot& out) {
  const std::string name = record.at("name");
  const Json& dimensions = record.at("dimensions");
  const std::string plan = plan_of(dimensions), task = word(dimensions, "task");
  const bool by_acc = word(dimensions, "metric") == "acc";
  if (record.at("value").is_null()) {
    const std::string reason = record.value("absent_reason", "no reason was given");
    out.absent.emplace(name, reason);
    return;
  }
  const bool bytes =
      name == "peak_resident_bytes" || name == "weight_bytes" || name == "block_bytes";
  const bool times =
      name == "prefill_ms" || name == "prefill_blocks_ms" || name == "decode_ms_per_token";
  if (times)
    out.repeated.push_back({name, plan, {record.at("samples").get<std::vector<double>>()}});
  if (bytes) out.repeated.push_back({name, plan, {{record.at("value").get<double>()}}});
  if ((name == "f0" || name == "healed_accuracy") && by_acc && record.contains("interval")) {
    const Json& i = record["interval"];
    out.estimates.push_back(
        {name,
         task,
         plan,
         record["value"].get<double>(),
         {i.at("low"), i.at("high"), i.at("level"), i.at("method").get<std::string>()}});
  }
}

/// Verdicts after which nothing else of the run can be believed.
void read_verdict(const Json& verdict, GateSnapshot& out) {
  const std::string kind = verdict.at("kind"), claim = verdict.at("claim");
  if (kind == "INVALID" || (kind == "FAIL" && claim == "residual-reconnection"))
    out.invalid.push_back(text(claim, " is ", kind, ": ", verdict.at("reason").get<std::string>()));
}

double number(const std::string& cell, size_t line) {
  double value = 0;
  const auto [end, status] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (cell.empty() || status != std::errc() || end != cell.data() + cell.size() ||
      !std::isfinite(value))
    throw Error(ErrorKind::kInput, text("line ", line, ": '", cell, "' is no number"));
  return value;
}

int64_t whole(const std::string& cell, size_t line) {
  const double value = number(cell, line);
  if (value != std::floor(value) || std::abs(value) > 1e15)
    throw Error(ErrorKind::kInput, text("line ", line, ": '", cell, "' is no whole number"));
  return static_cast<int64_t>(value);
}

/// Where the columns of a table are that this release knows; others are passed over.
struct Columns {
  std::vector<std::string> header;
  size_t at(const std::string& name) const {
    const auto found = std::ranges::find(header, name);
    if (found == header.end())
      throw Error(ErrorKind::kInput, text("there is no column '", name, "'"));
    return static_cast<size_t>(found - header.begin());
  }
};

void add_value(const std::string& metric, const std::string& plan, const std::string& removed,
               int64_t document, double value, GateSnapshot& out) {
  auto series = std::ranges::find_if(
      out.documents, [&](const DocumentSeries& s) { return s.metric == metric && s.plan == plan; });
  if (series == out.documents.end())
    series = out.documents.insert(series, {metric, plan, removed, {}, {}});
  if (!series->documents.empty() && series->documents.back() >= document)
    throw Error(ErrorKind::kInput,
                text("document ", document, " of plan ", plan, " stands twice or out of order"));
  series->documents.push_back(document);
  series->values.push_back(value);
}

/// `metrics`: column and the series' name. Empty cells: the metric is absent.
void read_documents(const std::string& csv,
                    const std::vector<std::pair<std::string, std::string>>& metrics,
                    GateSnapshot& out) {
  const auto rows = parse_csv(csv);
  if (rows.empty()) throw Error(ErrorKind::kInput, "the file is empty; needed is its header");
  const Columns columns{rows[0]};
  const size_t strategy = columns.at("strategy"), n = columns.at("n");
  const size_t document = columns.at("document"), removed = columns.at("removed");
  for (const auto& [column, metric] : metrics) {
    const size_t value = columns.at(column);
    for (size_t i = 1; i < rows.size(); ++i)
      if (!rows[i][value].empty())
        add_value(metric, text(rows[i][strategy], ":", whole(rows[i][n], i + 1)), rows[i][removed],
                  whole(rows[i][document], i + 1), number(rows[i][value], i + 1), out);
  }
}

/// Losses stand twice in a run folder. Where they differ, files of two runs were mixed.
void require_same_run(const Json& records, const GateSnapshot& out) {
  for (const Json& record : records) {
    if (record.at("name") != "loss_nats" || !record.contains("samples")) continue;
    const std::string plan = plan_of(record.at("dimensions"));
    const auto series = std::ranges::find_if(out.documents, [&](const DocumentSeries& s) {
      return s.metric == "loss_nats" && s.plan == plan;
    });
    if (series == out.documents.end() ||
        series->values != record["samples"].get<std::vector<double>>())
      throw Error(ErrorKind::kInput, text("loss_documents.csv has other losses of plan ", plan,
                                          " than results.json; needed are the files of one run"));
  }
}

std::string name_of(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

void read_document_files(const Json& results, const fs::path& folder, GateSnapshot& out) {
  if (const fs::path file = folder / "loss_documents.csv"; fs::exists(file))
    naming(file, [&] {
      read_documents(
          read_file(file),
          {{"loss_nats", "loss_nats"}, {"kl_nats", "kl_nats"}, {"same_top1", "same_top1"}}, out);
      require_same_run(results.at("records"), out);
    });
  if (const fs::path file = folder / "healed_documents.csv"; fs::exists(file))
    naming(file, [&] {
      read_documents(read_file(file), {{"loss_nats", "healed_loss_nats"}}, out);
    });
}

}  // namespace

GateSnapshot read_run_snapshot(const fs::path& folder) {
  GateSnapshot out;
  out.source = name_of(folder);
  const fs::path file = folder / "results.json";
  const Json results = naming(file, [&] { return reports::read_results(read_file(file)); });
  naming(file, [&] {
    for (const Json& record : results.at("records")) read_record(record, out);
    for (const Json& verdict : results.at("verdicts")) read_verdict(verdict, out);
    read_subject(results, folder, out);
  });
  read_document_files(results, folder, out);
  if (fs::is_directory(folder / "questions")) {
    out.answers = read_answer_log(folder);
    out.answers->name = out.source;
  }
  return out;
}

}  // namespace plumb::harness
