#include <algorithm>
#include <memory>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "harness/answers/answer_log.h"
#include "harness/cli/signals.h"
#include "models/document_reader.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

/// A file in pieces, so that no more of it than one is resident.
class FileSource : public models::ByteSource {
 public:
  explicit FileSource(const fs::path& path) : file_(path) {}
  std::string_view next() override {
    throw_if_interrupted();
    const auto rest = std::min<uint64_t>(file_.size() - begin_, uint64_t{1} << 20);
    piece_.resize(rest);
    file_.read(begin_, std::as_writable_bytes(std::span(piece_)));
    begin_ += rest;
    return piece_;
  }

 private:
  InputFile file_;
  uint64_t begin_ = 0;
  std::string piece_;
};

void read_lines(const fs::path& file, AnswerLogBuilder& builder) {
  models::LineReader lines(std::make_unique<FileSource>(file));
  try {
    while (const auto line = lines.next()) {
      try {
        builder.add(parse_answer_line(*line));
      } catch (const Error& error) {
        throw error.within(text("line ", lines.line()));
      }
    }
  } catch (const Error& error) {
    throw error.within(file.string());
  }
}

std::vector<fs::path> logs_in(const fs::path& folder) {
  std::vector<fs::path> logs;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "questions", none))
    if (entry.path().extension() == ".jsonl") logs.push_back(entry.path());
  std::ranges::sort(logs);
  if (logs.empty() && fs::exists(folder / "answers.jsonl"))
    logs.push_back(folder / "answers.jsonl");
  if (logs.empty())
    throw Error(ErrorKind::kInput, text("folder '", folder.string(),
                                        "' holds no questions/*.jsonl; needed is one that `plumb "
                                        "eval` has written, or a log's own name"));
  return logs;
}

}  // namespace

AnswerLog read_answer_log(const fs::path& path) {
  AnswerLogBuilder builder;
  std::error_code none;
  for (const fs::path& file :
       fs::is_directory(path, none) ? logs_in(path) : std::vector<fs::path>{path})
    read_lines(file, builder);
  AnswerLog log{path.string(), builder.take()};
  if (log.tasks.empty())
    throw Error(ErrorKind::kInput,
                text("'", path.string(), "' holds no answers; needed is at least one line"));
  return log;
}

}  // namespace plumb::harness
