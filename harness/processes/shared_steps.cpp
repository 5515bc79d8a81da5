#include "harness/processes/shared_steps.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "harness/cli/signals.h"

namespace plumb::harness {
namespace {

/// Before a message's numbers.
struct Mark {
  uint64_t sweep = 0, step = 0;
};

constexpr auto kLook = std::chrono::milliseconds(1);

}  // namespace

pruning::StepLog SharedSteps::log(const std::string& sweep) {
  const pruning::StepLog kept = journal_ != nullptr ? journal_->log(sweep) : pruning::StepLog();
  if (!processes_.are_several()) return kept;
  const size_t number = kept_.size();
  kept_.push_back(kept);
  pruning::StepLog out;
  out.known = [this, number](size_t step) { return known(number, step); };
  out.mine = [this](const std::vector<size_t>& missing) { return mine(missing); };
  out.finished = [this, number](size_t step, std::span<const double> numbers) {
    finished(number, step, numbers);
  };
  out.complete = [this, number](size_t step, std::span<double> numbers) {
    complete(number, step, numbers);
  };
  out.meanwhile = [this] { take_in(); };
  return out;
}

/// Rank 0 alone has read the journal.
std::optional<std::vector<double>> SharedSteps::known(size_t sweep, size_t step) {
  std::optional<std::vector<double>> out;
  if (processes_.is_first()) out = kept_[sweep].known(step);
  int64_t size = out ? std::ssize(*out) : -1;
  processes_.broadcast(&size, sizeof size);
  if (size < 0) return std::nullopt;
  if (!out) out.emplace(static_cast<size_t>(size));
  processes_.broadcast(out->data(), out->size() * sizeof(double));
  return out;
}

std::vector<size_t> SharedSteps::mine(const std::vector<size_t>& missing) const {
  std::vector<size_t> out;
  const auto count = static_cast<size_t>(processes_.count());
  for (auto k = static_cast<size_t>(processes_.rank()); k < missing.size(); k += count)
    out.push_back(missing[k]);
  return out;
}

void SharedSteps::finished(size_t sweep, size_t step, std::span<const double> numbers) {
  numbers_[{sweep, step}] = {numbers.begin(), numbers.end()};
  if (processes_.is_first()) return kept_[sweep].finished(step, numbers);
  const Mark mark{sweep, step};
  std::vector<char> bytes(sizeof mark + numbers.size_bytes());
  std::memcpy(bytes.data(), &mark, sizeof mark);
  if (!numbers.empty())
    std::memcpy(bytes.data() + sizeof mark, numbers.data(), numbers.size_bytes());
  processes_.send_to_first(bytes);
}

void SharedSteps::take_in() {
  std::vector<char> bytes;
  while (processes_.take_message(bytes)) {
    Mark mark;
    std::memcpy(&mark, bytes.data(), sizeof mark);
    std::vector<double> numbers((bytes.size() - sizeof mark) / sizeof(double));
    if (!numbers.empty())
      std::memcpy(numbers.data(), bytes.data() + sizeof mark, numbers.size() * sizeof(double));
    kept_.at(mark.sweep).finished(mark.step, numbers);
    numbers_[{mark.sweep, mark.step}] = std::move(numbers);
  }
}

void SharedSteps::complete(size_t sweep, size_t step, std::span<double> numbers) {
  const auto place = std::pair(sweep, step);
  while (processes_.is_first() && !numbers_.contains(place)) {
    take_in();
    throw_if_interrupted();
    if (!numbers_.contains(place)) std::this_thread::sleep_for(kLook);
  }
  if (processes_.is_first()) {
    const std::vector<double>& found = numbers_.at(place);
    if (found.size() != numbers.size())
      throw Error(ErrorKind::kInvariant, text("step ", step, " came with ", found.size(),
                                              " numbers, needed ", numbers.size()));
    std::copy(found.begin(), found.end(), numbers.begin());
  }
  processes_.broadcast(numbers.data(), numbers.size_bytes());
  numbers_.erase(place);
}

}  // namespace plumb::harness
