#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "harness/experiment/experiment.h"
#include "harness/pipeline/results.h"
#include "models/formats/checkpoint.h"
#include "models/origin.h"

namespace plumb::harness {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// What a result says about the model that it belongs to. Names come from the file and are not trusted.
struct ModelFacts {
  std::string file;       ///< without folder
  models::Origin origin;  ///< where it was fetched from
  std::string name;
  std::string architecture;
  std::string license;
  std::string sha256;
  int64_t block_count = 0;
  int64_t width = 0;
  int64_t vocabulary_size = 0;
  uint64_t file_bytes = 0;
  int64_t parameters = 0;
  std::string stored_types;  ///< "Q4_1 x 211, F32 x 61"
};

/// Hashes the model's files.
ModelFacts model_facts(const models::Checkpoint& checkpoint, const models::Origin& origin = {});
/// null where the origin is not known.
nlohmann::ordered_json origin_json(const models::Origin& origin);
nlohmann::ordered_json to_json(const ModelFacts& facts);
ModelFacts model_facts_from_json(const nlohmann::ordered_json& json);

/// How texts were cut and sampled, which states were compared: the choices that the paper leaves open.
Pairs policy(const Experiment& experiment);
Pairs text_pairs(const TextFacts& text);
/// Versions of libtorch and the CPU capability that it uses, whether the CUDA plug-in is there; and what `device` is:
/// product, driver and memory. Error{kResource} where it is asked for another device than the CPU that cannot be used.
Pairs library_facts(const std::string& device = "cpu");
nlohmann::ordered_json pairs_json(const Pairs& pairs);
Pairs pairs_from_json(const nlohmann::ordered_json& json);

/// What every command's JSON begins with: model, policy, dtype, threads, seed, version.
nlohmann::ordered_json common_json(const Experiment& experiment, const ModelFacts& model);

}  // namespace plumb::harness
