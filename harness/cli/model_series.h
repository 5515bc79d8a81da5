#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/pipeline/publish.h"

namespace plumb::harness {

/// Sweeps of several models under one folder: each has a subfolder, which is that of a sweep of this model alone and
/// remembers what it was made from, so that a series that was stopped goes on with the model that it was at.
struct SeriesModel {
  std::string name;   ///< as given
  std::string label;  ///< its subfolder, and its name in tables: "model.gguf", "org--name"
};

/// Error{kUsage} for two models with one label.
std::vector<SeriesModel> series_models(const std::vector<std::string>& names);

/// Whether `folder` holds the results of a sweep with this key, as they were written.
bool stands(const std::filesystem::path& folder, const nlohmann::ordered_json& key);
/// Says so of the results that have just been published there. Error{kResource}.
void remember_results(const std::filesystem::path& folder, const nlohmann::ordered_json& key);

/// loss.csv and accuracy.csv, those that the subfolders have: their rows one below the other, `model` the first column.
/// Error{kInput} where the tables of two models have other columns.
std::vector<NamedFile> joined_tables(const std::filesystem::path& folder,
                                     const std::vector<SeriesModel>& models);

}  // namespace plumb::harness
