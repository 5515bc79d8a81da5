#include "healing/modules.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "models/architecture.h"

namespace plumb::healing {
namespace {

using models::Architecture;
using models::ModelConfig;
using models::Role;

Role role_of(Target target) {
  switch (target) {
    case Target::kQuery:
      return Role::kQuery;
    case Target::kKey:
      return Role::kKey;
    case Target::kValue:
      return Role::kValue;
    case Target::kAttentionOut:
      return Role::kAttentionOut;
    case Target::kGate:
      return Role::kGate;
    case Target::kUp:
      return Role::kUp;
    case Target::kDown:
      return Role::kDown;
    case Target::kQueryKeyValue:
      return Role::kQueryKeyValue;
  }
  throw Error(ErrorKind::kInvariant, "no such target");
}

/// "model.layers.{}.mlp.gate_proj"; empty where it is no module of its own.
std::string_view pattern_of(const ModelConfig& config, Target target) {
  for (const auto& row : models::architecture_by_name(config.architecture).tensors)
    if (row.role == role_of(target) && has_role(row.role, config)) {
      std::string_view name = row.hugging_face;
      constexpr std::string_view kEnd = ".weight";
      if (name.ends_with(kEnd)) name.remove_suffix(kEnd.size());
      return name;
    }
  return {};
}

bool ends_with_part(std::string_view path, std::string_view ending) {
  return path.ends_with(ending) &&
         (path.size() == ending.size() || path[path.size() - ending.size() - 1] == '.');
}

}  // namespace

bool has_fused_heads(const ModelConfig& config) {
  return !pattern_of(config, Target::kQueryKeyValue).empty();
}

bool has_rows_by_head(const ModelConfig& config) {
  return has_fused_heads(config) &&
         models::architecture_by_name(config.architecture).fused == models::FusedOrder::kByHead;
}

std::vector<Target> module_targets(const ModelConfig& config) {
  std::vector<Target> out;
  for (const Target target : {Target::kQueryKeyValue, Target::kQuery, Target::kKey, Target::kValue,
                              Target::kAttentionOut, Target::kGate, Target::kUp, Target::kDown})
    if (!pattern_of(config, target).empty()) out.push_back(target);
  return out;
}

std::string module_path(const ModelConfig& config, Target target, int64_t block) {
  const std::string_view pattern = pattern_of(config, target);
  if (pattern.empty())
    throw Error(
        ErrorKind::kUsage,
        text("a block of ", config.architecture, " has no module '", target_name(target),
             has_fused_heads(config) ? "'; queries, keys and values are one, 'query_key_value'"
                                     : "'"));
  return models::tensor_name(pattern, block);
}

std::string module_ending(const ModelConfig& config, Target target) {
  const std::string path = module_path(config, target, 0);
  std::vector<std::string> others;
  for (const Target other : module_targets(config))
    if (other != target) others.push_back(module_path(config, other, 0));
  for (size_t dot = path.rfind('.'); dot != std::string::npos && dot > 0;
       dot = path.rfind('.', dot - 1)) {
    const std::string ending = path.substr(dot + 1);
    if (std::ranges::none_of(others,
                             [&](const auto& other) { return ends_with_part(other, ending); }))
      return ending;
  }
  return path;
}

std::optional<Target> target_of(models::Role role) {
  for (const Target target : kTargets)
    if (role_of(target) == role) return target;
  return std::nullopt;
}

std::string target_name(Target target) {
  switch (target) {
    case Target::kQuery:
      return "query";
    case Target::kKey:
      return "key";
    case Target::kValue:
      return "value";
    case Target::kAttentionOut:
      return "attention_out";
    case Target::kGate:
      return "gate";
    case Target::kUp:
      return "up";
    case Target::kDown:
      return "down";
    case Target::kQueryKeyValue:
      return "query_key_value";
  }
  throw Error(ErrorKind::kInvariant, "no such target");
}

std::vector<Target> parse_targets(const std::string& list, const ModelConfig& config) {
  const std::vector<Target> known = module_targets(config);
  if (list == "all") return known;
  std::string names;
  for (const Target target : known) names += (names.empty() ? "" : ", ") + target_name(target);
  std::vector<Target> out;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    begin = end + 1;
    const auto found =
        std::ranges::find_if(known, [&](Target t) { return target_name(t) == word; });
    if (found == known.end())
      throw Error(ErrorKind::kUsage, text("there is no target '", word, "' in a block of ",
                                          config.architecture, "; it has ", names, " and all"));
    if (std::ranges::count(out, *found) > 0)
      throw Error(ErrorKind::kUsage, text("the target '", word, "' was named twice"));
    out.push_back(*found);
  }
  std::ranges::sort(out);
  return out;
}

std::vector<Target> default_targets(const ModelConfig& config) {
  std::vector<Target> out;
  for (const Target target : {Target::kGate, Target::kUp, Target::kDown})
    if (target != Target::kGate || config.options.gated) out.push_back(target);
  return out;
}

}  // namespace plumb::healing
