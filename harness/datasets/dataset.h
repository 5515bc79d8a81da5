#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/fetch/fetch.h"

/// Data sets of the Hub as files that Plumb's commands take.
///
///     OUT/mmlu/mmlu_test.jsonl    a preset's question files, where --data OUT looks for them (see preset.h)
///     OUT/org--name/a/b.jsonl     without a preset: the rows of the repository's file a/b.parquet (.csv, .json.gz, ...)
///                                 with their columns as they are
///     OUT/*/manifest.json         beside them: repository, commit, licence, the files read and written with rows and hashes
namespace plumb::harness {

/// One JSONL file that was written.
struct DatasetFile {
  std::string file;  ///< below the data set's folder
  int64_t rows = 0;
  std::optional<int64_t> published_rows;  ///< how many the preset says there are
  uint64_t size_bytes = 0;
  std::string sha256;
  std::vector<std::string> from;  ///< files of the repository, in this order
};

struct Dataset {
  std::filesystem::path folder;
  std::string repository;
  std::string commit;
  std::string licence;  ///< empty: no preset says one; the repository does
  std::string note;
  std::vector<DatasetFile> files;
  bool was_there = false;  ///< an earlier call wrote the same; nothing was done
};

/// Rows written so far.
using RowProgress = std::function<void(int64_t rows)>;

/// "org/name" or "org/name@revision"; without a revision the preset's, where there is one. Error{kUsage} as parse_hub_id.
HubId parse_dataset_id(std::string_view word);

/// The files to fetch: those that `include` names; none: the preset's, or every file of a format that rows are read from
/// (but .json, which is often no data).
FileChoice dataset_files(const HubId& id, const std::vector<std::string>& include);

/// Writes the rows of a fetched snapshot. The folder appears whole or not at all. `all`: every output of the preset must
/// have its files, as is when nobody chose some. `progress` is called every few thousand rows and may throw to stop.
///
/// Error{kInput} naming file and row for a row that cannot be read or does not fit the preset, and for files that are not
/// there; Error{kUsage} for a file that the preset does not know, and where OUT holds another data set or version;
/// Error{kResource} for Parquet without the plug-in and for a disk that is full.
Dataset write_dataset(const Snapshot& snapshot, const std::filesystem::path& out, bool all,
                      const RowProgress& progress = {});

}  // namespace plumb::harness
