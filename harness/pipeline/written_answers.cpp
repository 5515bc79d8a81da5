#include "harness/pipeline/written_answers.h"

#include "base/error.h"
#include "pruning/sweep/written_sweep.h"
#include "reports/escape.h"

namespace plumb::harness {
namespace {

WrittenText judged(const metrics::Task& task, const metrics::Question& question,
                   const std::string& bytes) {
  const std::string written = reports::repair_utf8(bytes);  // a token may end within a character
  return {metrics::before_stop(*task.generate, written), metrics::judge(task, question, written)};
}

}  // namespace

WrittenAnswers write_answers(Session& session, const metrics::Task& task,
                             const std::vector<metrics::Question>& questions,
                             const std::vector<metrics::Request>& requests,
                             const std::vector<pruning::PruningPlan>& plans, const Console& console,
                             const pruning::StepLog& log) {
  const models::Tokenizer& tokenizer = session.tokenizer();
  Progress progress(console, text(task.name, ": answer"));
  pruning::WrittenSweepOptions options;
  options.max_tokens = task.generate->max_tokens;
  options.end = session.checkpoint().config().eos_token;
  options.stop = [&](std::span<const int32_t> written) {
    const std::string so_far = tokenizer.decode({written.begin(), written.end()});
    return metrics::before_stop(*task.generate, so_far).size() < so_far.size();
  };
  options.log = log;
  options.progress = [&](int64_t done, int64_t all) { progress.update(done, all); };
  const pruning::WrittenTexts texts =
      pruning::sweep_written(session.decoder(), requests, plans, options);

  WrittenAnswers out;
  out.plans_distinct = texts.plans_distinct;
  for (const auto& answers : texts.tokens) {
    std::vector<WrittenText> said;
    for (size_t q = 0; q < questions.size(); ++q)
      said.push_back(judged(task, questions[q], tokenizer.decode(answers[q])));
    out.texts.push_back(std::move(said));
  }
  return out;
}

}  // namespace plumb::harness
