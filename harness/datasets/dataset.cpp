#include "harness/datasets/dataset.h"

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/output_file.h"
#include "harness/datasets/manifest.h"
#include "harness/datasets/preset.h"
#include "harness/datasets/row_reader.h"
#include "harness/fetch/hub.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

constexpr size_t kWriteBytes = size_t{1} << 20;
constexpr int64_t kRowsBetween = 4096;
// Longest first: ".json.gz" is one ending.
constexpr std::array<std::string_view, 9> kEndings{".ndjson.gz", ".jsonl.gz", ".json.gz",
                                                   ".csv.gz",    ".parquet",  ".ndjson",
                                                   ".jsonl",     ".json",     ".csv"};

/// A file to write and what it is made of.
struct Job {
  std::string file;
  std::vector<const FetchedFile*> from;
  std::optional<int64_t> published_rows;
};

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "'" : ", '") + word + "'";
  return all;
}

void require_known(const Preset& preset, const std::vector<FetchedFile>& files) {
  std::vector<std::string> known;
  for (const PresetOutput& output : preset.outputs)
    known.insert(known.end(), output.accepts.begin(), output.accepts.end());
  for (const FetchedFile& file : files)
    if (!matches_any(known, file.name))
      throw Error(ErrorKind::kUsage,
                  text("the preset of '", preset.repository, "' knows nothing to make of '",
                       file.name, "'; it takes ", joined(known)));
}

std::vector<Job> jobs_of(const Preset& preset, const Snapshot& snapshot, bool all) {
  require_known(preset, snapshot.files);
  std::vector<Job> jobs;
  for (const PresetOutput& output : preset.outputs) {
    Job job{output.file, {}, output.rows};
    for (const FetchedFile& file : snapshot.files)
      if (matches_any(output.accepts, file.name)) job.from.push_back(&file);
    if (all && job.from.empty())
      throw Error(ErrorKind::kInput,
                  text("commit ", snapshot.commit, " of '", preset.repository, "' has no file ",
                       joined(output.from), ", which '", output.file,
                       "' is made of; name a commit that has it (", preset.repository,
                       "@COMMIT), or other files with --include"));
    if (!job.from.empty()) jobs.push_back(std::move(job));
  }
  if (jobs.empty())
    throw Error(ErrorKind::kInput, text("no file of '", preset.repository, "' was chosen"));
  return jobs;
}

std::vector<Job> jobs_of(const Snapshot& snapshot) {
  std::vector<Job> jobs;
  for (const FetchedFile& file : snapshot.files) {
    const auto ending = std::find_if(kEndings.begin(), kEndings.end(), [&](std::string_view end) {
      return file.name.ends_with(end);
    });
    if (ending == kEndings.end())
      throw Error(ErrorKind::kUsage, text("'", file.name,
                                          "' is in no format that rows are read from; "
                                          "choose files with --include"));
    const std::string name = file.name.substr(0, file.name.size() - ending->size()) + ".jsonl";
    for (const Job& job : jobs)
      if (job.file == name)
        throw Error(ErrorKind::kUsage,
                    text("'", job.from[0]->name, "' and '", file.name, "' would both be '", name,
                         "'; choose one with --include"));
    jobs.push_back({name, {&file}, std::nullopt});
  }
  if (jobs.empty())
    throw Error(ErrorKind::kInput, text("'", snapshot.id.repository, "' has no file of rows"));
  return jobs;
}

/// JSON lines on their way to disk.
class Writer {
 public:
  explicit Writer(const fs::path& file) : file_(file) {}
  void line(const Row& row) {
    buffer_ += row.dump();
    buffer_ += '\n';
    if (buffer_.size() >= kWriteBytes) flush();
  }
  void finish(DatasetFile& written) {
    flush();
    file_.finish();
    written.size_bytes = bytes_;
    written.sha256 = hash_.hex();
  }

 private:
  void flush() {
    file_.write(buffer_);
    hash_.update(buffer_);
    bytes_ += buffer_.size();
    buffer_.clear();
  }

  OutputFile file_;
  Sha256 hash_;
  std::string buffer_;
  uint64_t bytes_ = 0;
};

/// Appends one file's rows; the count of all rows so far goes to `progress`.
void append_rows(const FetchedFile& file, const Preset* preset, Writer& writer, int64_t& rows,
                 const RowProgress& progress) try {
  const auto columns = preset != nullptr ? preset_columns(*preset) : std::vector<std::string>();
  const auto reader = open_rows(file.path, columns);
  while (auto row = reader->next()) {
    try {
      writer.line(preset != nullptr ? preset_row(*preset, *row) : *row);
    } catch (const Error& error) {
      throw error.within(reader->where());
    }
    if (++rows % kRowsBetween == 0 && progress) progress(rows);
  }
} catch (const Error& error) {
  throw error.kind() == ErrorKind::kInput ? error.within(file.name) : error;
}

}  // namespace

HubId parse_dataset_id(std::string_view word) {
  HubId id = parse_hub_id(word, RepositoryKind::kDataset);
  const Preset* preset = find_preset(id.repository);
  if (preset != nullptr && word.find('@') == std::string_view::npos) id.revision = preset->revision;
  return id;
}

FileChoice dataset_files(const HubId& id, const std::vector<std::string>& include) {
  FileChoice choice;
  choice.patterns = include;
  if (!include.empty()) return choice;
  if (const Preset* preset = find_preset(id.repository)) {
    for (const PresetOutput& output : preset->outputs)
      choice.patterns.insert(choice.patterns.end(), output.from.begin(), output.from.end());
    return choice;
  }
  for (const std::string_view ending : kEndings)
    if (ending != ".json") choice.patterns.push_back(text("*", ending));
  return choice;
}

Dataset write_dataset(const Snapshot& snapshot, const fs::path& out, bool all,
                      const RowProgress& progress) {
  const Preset* preset = find_preset(snapshot.id.repository);
  const auto jobs = preset != nullptr ? jobs_of(*preset, snapshot, all) : jobs_of(snapshot);
  Dataset dataset;
  dataset.repository = snapshot.id.repository;
  dataset.commit = snapshot.commit;
  std::string name = snapshot.id.repository;
  name.replace(name.find('/'), 1, "--");
  dataset.folder = out / (preset != nullptr ? preset->family : name);
  if (preset != nullptr) {
    dataset.licence = preset->licence;
    dataset.note = preset->note;
  }
  for (const Job& job : jobs) {
    DatasetFile file{job.file, 0, job.published_rows, 0, "", {}};
    for (const FetchedFile* from : job.from) file.from.push_back(from->name);
    dataset.files.push_back(std::move(file));
  }
  const Row request = manifest_request(snapshot, preset);
  if (found_in_place(dataset, request)) return dataset;

  NewFolder folder(dataset.folder);
  int64_t rows = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    const fs::path file = folder.path() / jobs[i].file;
    fs::create_directories(file.parent_path());
    Writer writer(file);
    const int64_t before = rows;
    for (const FetchedFile* from : jobs[i].from) append_rows(*from, preset, writer, rows, progress);
    writer.finish(dataset.files[i]);
    dataset.files[i].rows = rows - before;
    sync_folder(file.parent_path());
  }
  write_file_atomically(folder.path() / kManifestName, manifest(dataset, request));
  folder.publish();
  return dataset;
}

}  // namespace plumb::harness
