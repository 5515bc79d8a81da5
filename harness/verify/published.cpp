#include "harness/verify/published.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/experiment/embedded.h"

namespace plumb::harness {

namespace {

std::string bare(const std::string& words) {
  std::string out;
  for (const char c : words)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void add_sleb(std::vector<PublishedCurve>& out) {
  const auto file = parse_json(dense_losses_json());
  const double most = std::log(file.at("vocabulary_size").get<double>());
  for (const auto& point : file.at("points")) {
    const std::string label = "SLEB, " + point.at("model").get<std::string>() + ", C4";
    auto at = std::find_if(out.begin(), out.end(), [&](const auto& c) { return c.label == label; });
    if (at == out.end()) {
      out.push_back({.label = label, .quantity = "loss", .source = file.at("source")});
      at = out.end() - 1;
    }
    at->fractions.push_back(point.at("fraction"));
    at->values.push_back(std::log(point.at("perplexity").get<double>()) / most);
  }
}

void add_shortgpt(std::vector<PublishedCurve>& out) {
  const auto file = parse_json(shortgpt_curve_json());
  const std::string model = file.at("model");
  const double blocks = file.at("block_count");
  PublishedCurve loss{
      .label = "ShortGPT, " + model, .quantity = "loss", .source = file.at("source")};
  PublishedCurve accuracy = loss;
  accuracy.quantity = "mmlu";
  // The model's vocabulary is SLEB's.
  const double most = std::log(parse_json(dense_losses_json()).at("vocabulary_size").get<double>());
  for (const auto& point : file.at("points")) {
    const double removed = 1 - point.at("layers").get<double>() / blocks;
    loss.fractions.push_back(removed);
    loss.values.push_back(std::log(point.at("perplexity").get<double>()) / most);
    accuracy.fractions.push_back(removed);
    accuracy.values.push_back(point.at("mmlu").get<double>() / 100);
  }
  out.push_back(std::move(loss));
  out.push_back(std::move(accuracy));
}

}  // namespace

bool goes_by(const ModelFacts& model, const std::vector<std::string>& words) {
  const std::vector<std::string> names = {bare(model.origin.repository), bare(model.file),
                                          bare(model.name)};
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return name.find(word) != std::string::npos;
    });
  });
}

std::vector<PublishedCurve> published_curves() {
  std::vector<PublishedCurve> out;
  add_sleb(out);
  add_shortgpt(out);
  return out;
}

std::vector<PublishedCurve> published_curves(const std::string& quantity) {
  std::vector<PublishedCurve> out = published_curves();
  std::erase_if(out, [&](const PublishedCurve& curve) { return curve.quantity != quantity; });
  return out;
}

std::optional<PublishedStarts> published_starts(const ModelFacts& model, std::string& names) {
  const auto file = parse_json(published_starts_json());
  for (const auto& one : file.at("models")) {
    PublishedStarts starts{one.at("model"), one.at("block_count"), one.at("first")};
    names += (names.empty() ? "" : ", ") + starts.model;
    if (starts.block_count == model.block_count && goes_by(model, one.at("known_as")))
      return starts;
  }
  return std::nullopt;
}

std::optional<PublishedCollapse> published_collapse(const ModelFacts& model, std::string& names) {
  const auto file = parse_json(collapse_fractions_json());
  for (const auto& band : file.at("bands")) {
    PublishedCollapse out{band.at("model"), band.at("low"), band.at("high"),
                          file.at("allowed_beside")};
    names += (names.empty() ? "" : ", ") + out.family;
    if (goes_by(model, band.at("known_as"))) return out;
  }
  return std::nullopt;
}

std::vector<PublishedRemoval> published_removals() {
  std::vector<PublishedRemoval> out;
  const auto file = parse_json(block_removal_mmlu_json());
  for (const auto& point : file.at("points"))
    out.push_back({point.at("model"), point.at("first"), point.at("last"), point.at("acc")});
  return out;
}

}  // namespace plumb::harness
