#include "base/error.h"
#include "harness/answers/answer_log.h"
#include "harness/answers/fuzz_target.h"

namespace plumb::harness::fuzz {

void answers(std::string_view log) {
  try {
    AnswerLogBuilder builder;
    while (!log.empty()) {
      const size_t end = log.find('\n');
      builder.add(parse_answer_line(log.substr(0, end)));
      log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    }
    builder.take();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput) throw;
  }
}

}  // namespace plumb::harness::fuzz
