#include "harness/pipeline/measured.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/statistics/summary.h"
#include "harness/cli/console.h"
#include "harness/verify/claims.h"
#include "pruning/plan.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kMostGainOfRepeating = 0.10;
constexpr double kPeakTolerance = 0.05;

void add_once(std::vector<std::string>& to, const std::vector<std::string>& more) {
  for (const std::string& one : more)
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
}

/// One reason of each kind, the worst: kinds differ in the words before the first number. How often each was seen is added.
std::vector<std::string> worst_of_each(const std::vector<std::string>& reasons) {
  struct Kind {
    std::string words, worst;
    double value = 0;
    int64_t seen = 0;
  };
  std::vector<Kind> kinds;
  for (const std::string& reason : reasons) {
    const size_t at = reason.find_first_of("0123456789");
    const std::string words = reason.substr(0, at);
    const double value = at == std::string::npos ? 0 : std::strtod(reason.c_str() + at, nullptr);
    auto kind =
        std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.words == words; });
    if (kind == kinds.end()) kind = kinds.insert(kinds.end(), {words, reason, value, 0});
    ++kind->seen;
    if (value > kind->value) kind->worst = reason, kind->value = value;
  }
  std::vector<std::string> out;
  for (const Kind& k : kinds)
    out.push_back(k.seen == 1 ? k.worst : text(k.worst, " (the worst of ", k.seen, ")"));
  return out;
}

std::string named(const Measured& m) {
  return text("n = ", m.n(), ", context ", m.configuration.context, ", batch ",
              m.configuration.batch);
}

/// As many ids as were asked for and times for all but the first, in every repetition.
bool all_counted(const Json& child) {
  const auto tokens = child.at("tokens").get<size_t>(),
             repetitions = child.at("repetitions").get<size_t>();
  if (child.at("written").size() != child.at("batch").get<size_t>()) return false;
  for (const Json& one : child.at("written"))
    if (one.size() != tokens) return false;
  if (child.at("token_ms").size() != repetitions) return false;
  for (const Json& one : child.at("token_ms"))
    if (one.size() + 1 != tokens) return false;
  return true;
}

/// Appends a child's value, or keeps why it has none.
template <typename T>
void add_or_reason(const Json& value, const Json& reason, std::vector<T>& to, std::string& why) {
  if (value.is_null())
    why = reason.get<std::string>();
  else
    to.push_back(value);
}

void add_device(Measured& m, const Json& memory, const Json& energy) {
  if (!m.device) m.device.emplace();
  MeasuredOnDevice& d = *m.device;
  d.name = memory.at("name");
  d.product = memory.at("product"), d.driver = memory.at("driver");
  d.total_bytes = memory.at("total_bytes");
  d.predicted_bytes = memory.at("predicted_bytes");
  const Json &no_allocator = memory.at("allocator_reason"),
             &no_process = memory.at("process_reason");
  add_or_reason(memory.at("allocated_bytes"), no_allocator, d.allocated_bytes, d.no_allocator);
  add_or_reason(memory.at("reserved_bytes"), no_allocator, d.reserved_bytes, d.no_allocator);
  add_or_reason(memory.at("process_bytes"), no_process, d.process_bytes, d.no_process);
  add_or_reason(energy.at("joules"), energy.at("reason"), d.joules, d.no_joules);
}

/// Medians of a round's samples.
double round_median(const Measured& m, const std::string& what, int64_t round, bool second_arm) {
  std::vector<double> ms;
  for (const Sample& s : m.samples)
    if (s.what == what && s.round == round && s.second_arm == second_arm) ms.push_back(s.ms);
  return ms.empty() ? std::nan("") : median(ms);
}

Verdict verdict_of(const char* claim, const char* title, const char* statement) {
  Verdict v;
  v.claim = claim, v.title = title, v.statement = statement;
  v.source = "README.md, plumb measure";
  return v;
}

Verdict weights_to_the_byte(const MeasureResult& r) {
  Verdict v = verdict_of("weights-to-the-byte", "Weights take the bytes that the shapes say",
                         "The bytes of the weights that are held equal those computed from the "
                         "config alone, in every configuration.");
  for (const Measured& m : r.measured)
    if (m.weight_bytes != m.predicted_weight_bytes) {
      decide(v, VerdictKind::kFail,
             text(named(m), ": ", m.weight_bytes, " bytes are held, ", m.predicted_weight_bytes,
                  " were predicted"),
             "find which tensor has another shape or type than the config says");
      return v;
    }
  decide(v, VerdictKind::kPass,
         text(r.measured.size(), " configurations, ", r.measured.front().weight_bytes,
              " bytes in the first"));
  return v;
}

/// Resident memory is the host's, and no tolerance is stated for what a device's allocator counts until that has been
/// compared with its prediction on one.
void not_run_on_a_device(Verdict& v) {
  v.evidence.clear();
  not_run(
      v, "the model was on a device: resident memory does not hold it",
      "read device_allocated_bytes beside device_predicted_bytes, or measure with --device cpu");
}

Verdict peak_as_predicted(const MeasureResult& r) {
  Verdict v = verdict_of("peak-as-predicted", "Peak memory is as predicted",
                         "The largest resident memory of each configuration's processes is within "
                         "5 % of baseline, weights, cache and activations as computed from the "
                         "config.");
  if (r.measured.front().device) {
    not_run_on_a_device(v);
    return v;
  }
  double worst = 0;
  std::string where;
  for (const Measured& m : r.measured)
    for (size_t i = 0; i < m.peak_bytes.size(); ++i) {
      const auto found = static_cast<double>(m.peak_bytes[i]),
                 predicted = static_cast<double>(m.predicted_peak_bytes[i]);
      if (std::abs(found / predicted - 1) < std::abs(worst)) continue;
      worst = found / predicted - 1;
      where = text(named(m), ": ", bytes_text(m.peak_bytes[i]), ", predicted ",
                   bytes_text(m.predicted_peak_bytes[i]));
    }
  const std::string reason =
      text("largest difference ", number_text(100 * worst, 3), " % (", where, ")");
  if (std::abs(worst) <= kPeakTolerance)
    decide(v, VerdictKind::kPass, reason);
  else
    decide(v, VerdictKind::kFail, reason, "look at what else holds memory in that configuration");
  return v;
}

/// What the claims about n read, for the first context and batch.
CostResult cost_of(const MeasureResult& r) {
  CostResult out;
  const Configuration& first = r.measured.front().configuration;
  out.block_count = r.measured.front().block_count;
  for (const Measured& m : r.measured) {
    if (m.configuration.context != first.context || m.configuration.batch != first.batch) continue;
    CostPoint point;
    point.n = m.n(), point.removed = m.removed;
    point.cost.blocks = m.block_count - m.n();
    point.cost.block_bytes = m.block_bytes;
    point.cost.weight_bytes = m.weight_bytes;
    point.cost.peak_resident_bytes = m.peak();
    point.cost.baseline_resident_bytes = m.baseline_bytes.front();
    point.cost.prefill_ms = m.times("first_token");
    point.cost.prefill_blocks_ms = m.times("blocks");
    point.cost.decode_ms_per_token = m.times("between_tokens");
    out.points.push_back(std::move(point));
  }
  std::sort(out.points.begin(), out.points.end(),
            [](const CostPoint& a, const CostPoint& b) { return a.n < b.n; });
  return out;
}

}  // namespace

std::vector<double> Measured::times(const std::string& what, bool second_arm) const {
  std::vector<double> out;
  for (const Sample& s : samples)
    if (s.what == what && s.second_arm == second_arm) out.push_back(s.ms);
  return out;
}

uint64_t Measured::peak() const { return *largest(peak_bytes); }

std::optional<uint64_t> largest(const std::vector<uint64_t>& bytes) {
  if (bytes.empty()) return std::nullopt;
  return *std::max_element(bytes.begin(), bytes.end());
}

void add_child(Measured& m, const Json& child, int64_t round, bool second_arm) {
  try {
    const Json& memory = child.at("memory");
    m.removed = child.at("removed");
    m.block_count = child.at("block_count");
    m.tokens = child.at("tokens");
    const auto add = [&](const char* key, const char* what) {
      int64_t repetition = 0;
      for (const double ms : child.at(key))
        m.samples.push_back({what, round, second_arm, repetition++, 0, ms});
    };
    add("first_token_ms", "first_token");
    add("again_ms", "again");
    add("blocks_ms", "blocks");
    int64_t repetition = 0;
    for (const Json& times : child.at("token_ms")) {
      int64_t token = 1;
      for (const double ms : times)
        m.samples.push_back({"between_tokens", round, second_arm, repetition, token++, ms});
      ++repetition;
    }
    m.weight_bytes = memory.at("weight_bytes");
    m.block_bytes = memory.at("block_bytes");
    m.predicted_weight_bytes = memory.at("predicted_weight_bytes");
    m.cache_bytes = memory.at("predicted_cache_bytes");
    m.activation_bytes = memory.at("predicted_activation_bytes");
    m.baseline_bytes.push_back(memory.at("baseline_bytes"));
    m.loaded_bytes.push_back(memory.at("loaded_bytes"));
    m.peak_bytes.push_back(memory.at("peak_bytes"));
    if (const Json& bytes = memory.at("predicted_peak_bytes"); !bytes.is_null())
      m.predicted_peak_bytes.push_back(bytes);
    m.load_ms.push_back(child.at("load_ms"));
    const Json& energy = child.at("energy");
    if (energy.at("joules").is_null())
      m.no_energy = energy.at("reason");
    else
      m.joules.push_back(energy.at("joules"));
    if (memory.contains("device")) add_device(m, memory.at("device"), energy.at("device"));
    m.outputs_equal = m.outputs_equal && child.at("repeats").get<bool>() &&
                      child.at("written") == child.at("written_untimed");
    m.tokens_counted = m.tokens_counted && all_counted(child);
    add_once(m.doubts, child.at("machine").at("doubts"));
    add_once(m.unknown, child.at("machine").at("unknown"));
    if (const double spread = child.at("warm_up_spread"); spread > child.at("warm_spread"))
      add_once(m.doubts, {text("not warm: after ", child.at("warm_up_rounds").get<int64_t>(),
                               " rounds their times still differed by ",
                               number_text(100 * spread, 2), " %")});
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::kInternal,
                text("what a measuring process printed cannot be read: ", error.what()));
  }
}

std::optional<double> noise_floor(const MeasureResult& r) {
  std::optional<double> floor;
  for (const char* what : {"first_token", "between_tokens"})
    for (int64_t round = 0; round < r.rounds; ++round) {
      const double a = round_median(r.measured.front(), what, round, false),
                   b = round_median(r.measured.front(), what, round, true);
      if (std::isnan(a) || std::isnan(b)) continue;
      floor = std::max(floor.value_or(0), std::abs(a / b - 1));
    }
  return floor;
}

std::vector<Audit> audits(const MeasureResult& r) {
  std::vector<Audit> out = {{"timed outputs are those of the accuracy run", true, ""},
                            {"tokens are as many as were timed", true, ""},
                            {"a repeated prompt is no faster", true, ""}};
  double worst = -1;
  for (const Measured& m : r.measured) {
    if (!m.outputs_equal) out[0].holds = false, out[0].detail = named(m);
    if (!m.tokens_counted) out[1].holds = false, out[1].detail = named(m);
    const auto other = m.times("first_token"), same = m.times("again");
    if (other.empty() || same.empty()) continue;
    const double gain = 1 - median(same) / median(other);
    if (gain > worst) {
      worst = gain;
      out[2].detail = text(named(m), ": faster by ", number_text(100 * gain, 2), " %, at most ",
                           100 * kMostGainOfRepeating, " % is tolerable");
    }
  }
  out[2].holds = worst <= kMostGainOfRepeating;
  return out;
}

Verdict timings_valid(const MeasureResult& r) {
  Verdict v = verdict_of("timings-valid", "The times can be relied on",
                         "No frequency scaling, throttling or other load was seen, every process "
                         "was warm, samples suffice, two measurements of the same configuration "
                         "agree within the tolerance, and every audit holds.");
  std::vector<std::string> reasons = r.standing.reasons, unknown = r.standing.unknown;
  for (const Measured& m : r.measured) {
    add_once(reasons, m.doubts);
    add_once(unknown, m.unknown);
    if (const auto count = std::ssize(m.times("first_token")); count < kLeastRepetitions)
      add_once(reasons, {text("too few samples: ", count,
                              " times to the first token, a median's "
                              "interval needs ",
                              kLeastRepetitions)});
  }
  const auto floor = noise_floor(r);
  if (!floor)
    reasons.emplace_back("no A/A run: the noise floor is not known");
  else if (*floor > r.tolerance)
    reasons.push_back(text("noise: two measurements of the same configuration differ by ",
                           number_text(100 * *floor, 3), " %, the tolerance is ", 100 * r.tolerance,
                           " %"));
  for (const Audit& audit : audits(r))
    if (!audit.holds)
      reasons.push_back(text("audit failed: ", audit.name, " (", audit.detail, ")"));
  std::string said;
  for (const std::string& reason : worst_of_each(reasons))
    said += (said.empty() ? "" : "; ") + reason;
  std::string not_seen;
  for (const std::string& one : unknown) not_seen += (not_seen.empty() ? "" : ", ") + one;
  if (!not_seen.empty()) not_seen = text("; unknown here: ", not_seen);
  if (reasons.empty())
    decide(v, VerdictKind::kPass,
           text("noise floor ", number_text(100 * *floor, 2), " %, tolerance ", 100 * r.tolerance,
                " %", not_seen));
  else
    decide(v, VerdictKind::kInvalid, said + not_seen,
           "measure again on a quiet machine, with more --rounds, or a larger --tolerance");
  return v;
}

std::vector<Verdict> measured_verdicts(const MeasureResult& r) {
  std::vector<Verdict> out = {weights_to_the_byte(r), peak_as_predicted(r)};
  const CostResult cost = cost_of(r);
  Measurements m;
  m.block_count = cost.block_count;
  m.cost = &cost;
  for (Verdict& v : judge_claims(m, {}))
    for (const char* name :
         {"memory-falls", "memory-prediction", "latency-falls", "latency-prediction"})
      if (v.claim == name) {
        if (r.measured.front().device && v.claim.starts_with("memory-")) not_run_on_a_device(v);
        out.push_back(v);
      }
  return out;
}

}  // namespace plumb::harness
