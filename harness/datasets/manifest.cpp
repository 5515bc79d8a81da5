#include "harness/datasets/manifest.h"

#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json_fields.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

constexpr int kVersion = 1;

/// A file that the Hub knows by git's hash says so; one whose hash nobody told is hashed here.
Row source(const FetchedFile& file) {
  Row json{{"file", file.name}, {"bytes", file.size_bytes}};
  if (file.hash.size() == 40)
    json["git_blob"] = file.hash;
  else
    json["sha256"] = file.hash.empty() ? sha256_of_file(file.path) : file.hash;
  return json;
}

Row written(const DatasetFile& file) {
  Row json{{"file", file.file}, {"rows", file.rows}};
  if (file.published_rows) json["rows_published"] = *file.published_rows;
  json["bytes"] = file.size_bytes;
  json["sha256"] = file.sha256;
  json["from"] = file.from;
  return json;
}

/// Takes over what the manifest says of each file; false where it or the folder does not hold them all.
bool take_over(Dataset& dataset, const Row& files) {
  if (files.size() != dataset.files.size()) return false;
  for (size_t i = 0; i < dataset.files.size(); ++i) {
    DatasetFile& file = dataset.files[i];
    const Row& json = files.at(i);
    if (json.at("file") != file.file || json.at("from") != Row(file.from)) return false;
    file.rows = json.at("rows");
    file.size_bytes = json.at("bytes");
    file.sha256 = json.at("sha256");
    std::error_code none;
    if (fs::file_size(dataset.folder / file.file, none) != file.size_bytes || none) return false;
  }
  return true;
}

}  // namespace

Row manifest_request(const Snapshot& snapshot, const Preset* preset) {
  Row request{{"repository", snapshot.id.repository}, {"commit", snapshot.commit}};
  if (preset != nullptr) request["preset_version"] = preset->version;
  request["read"] = Row::array();
  for (const FetchedFile& file : snapshot.files) request["read"].push_back(source(file));
  return request;
}

std::string manifest(const Dataset& dataset, const Row& request) {
  Row json{{"manifest_version", kVersion}};
  json.update(request);
  json["licence"] = dataset.licence.empty() ? Row() : Row(dataset.licence);
  if (!dataset.note.empty()) json["note"] = dataset.note;
  json["files"] = Row::array();
  for (const DatasetFile& file : dataset.files) json["files"].push_back(written(file));
  return json.dump(1) + "\n";
}

bool found_in_place(Dataset& dataset, const Row& request) {
  std::error_code ignored;
  const fs::path& folder = dataset.folder;
  if (!fs::exists(folder, ignored) ||
      (fs::is_directory(folder, ignored) && fs::is_empty(folder, ignored)))
    return false;
  Dataset found = dataset;
  try {
    const Row json = parse_json(read_file(folder / kManifestName));
    bool same = json.at("manifest_version") == kVersion;
    for (const auto& item : request.items())
      same = same && json.contains(item.key()) && json.at(item.key()) == item.value();
    found.was_there = same &&
                      json.contains("preset_version") == request.contains("preset_version") &&
                      take_over(found, json.at("files"));
  } catch (const std::exception&) {
    // No manifest, or none of ours: what stands there is not ours to replace.
  }
  if (!found.was_there)
    throw Error(ErrorKind::kUsage,
                text("'", folder.string(), "' holds something else than these files of '",
                     dataset.repository, "' at commit ", dataset.commit,
                     "; remove it or give another --out"));
  dataset = std::move(found);
  return true;
}

}  // namespace plumb::harness
