#include "pruning/sweep/step_log.h"

#include "base/error.h"

namespace plumb::pruning {

std::function<void(int64_t, int64_t)> with_meanwhile(
    const StepLog& log, const std::function<void(int64_t, int64_t)>& progress) {
  if (!log.meanwhile) return progress;
  return [&log, &progress](int64_t done, int64_t all) {
    log.meanwhile();
    if (progress) progress(done, all);
  };
}

StepNumbers::StepNumbers(const StepLog& log, size_t plans, const std::vector<size_t>& widths)
    : log_(log), plans_(plans), measured_(widths.size(), 0) {
  for (size_t step = 0; step < widths.size(); ++step) {
    const size_t needed = plans * widths[step];
    auto known = log.known ? log.known(step) : std::nullopt;
    if (known && known->size() != needed)
      throw Error(ErrorKind::kInvariant, text("step ", step, " of the sweep is known by ",
                                              known->size(), " numbers, needed ", needed));
    if (!known) unknown_.push_back(step);
    numbers_.push_back(known ? std::move(*known) : std::vector<double>(needed));
  }
  mine_ = log.mine ? log.mine(unknown_) : unknown_;
}

std::span<double> StepNumbers::of(size_t plan, size_t step) {
  const size_t width = numbers_[step].size() / plans_;
  return std::span(numbers_[step]).subspan(plan * width, width);
}

std::span<const double> StepNumbers::of(size_t plan, size_t step) const {
  const size_t width = numbers_[step].size() / plans_;
  return std::span(numbers_[step]).subspan(plan * width, width);
}

void StepNumbers::measured(size_t step) {
  if (++measured_[step] == plans_ && log_.finished) log_.finished(step, numbers_[step]);
}

void StepNumbers::complete() {
  if (!log_.complete) return;
  for (const size_t step : unknown_) log_.complete(step, numbers_[step]);
}

}  // namespace plumb::pruning
