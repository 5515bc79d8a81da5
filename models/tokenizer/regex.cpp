#include "models/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>

#include "base/error.h"
#include "models/tokenizer/definition.h"

namespace plumb::models {
namespace {

constexpr size_t kMaxPatternBytes = size_t{1} << 16;
// Real patterns take tens of steps a word, and a few a byte where a run of a million spaces is
// given back one by one. A million is milliseconds, and a pattern that needs more explodes.
constexpr size_t kMatchLimit = 1'000'000;
constexpr size_t kMatchLimitPerByte = 16;
constexpr uint32_t kDepthLimit = 10'000;
constexpr uint32_t kHeapLimitKib = 16 * 1024;
constexpr size_t kStackBytes = size_t{1} << 20;

std::string reason(int code) {
  std::array<PCRE2_UCHAR, 256> message{};
  pcre2_get_error_message(code, message.data(), message.size());
  return reinterpret_cast<const char*>(message.data());
}

template <typename T>
T* require_memory(T* made) {
  if (made == nullptr) throw std::bad_alloc();
  return made;
}

}  // namespace

struct RegexScratch::Data {
  pcre2_match_data* match = require_memory(pcre2_match_data_create(1, nullptr));
  pcre2_match_context* context = require_memory(pcre2_match_context_create(nullptr));
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, kStackBytes, nullptr);

  Data() {
    pcre2_set_depth_limit(context, kDepthLimit);
    pcre2_set_heap_limit(context, kHeapLimitKib);
    if (stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Data() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;
};

RegexScratch::RegexScratch() : data_(std::make_unique<Data>()) {}
RegexScratch::~RegexScratch() = default;

struct Regex::Code {
  pcre2_code* code = nullptr;
  explicit Code(pcre2_code* made) : code(made) {}
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
};

Regex::Regex(std::string_view onig_pattern) : pattern_(onig_pattern) {
  if (pattern_.size() > kMaxPatternBytes)
    throw Error(ErrorKind::kInput, text("the pre-tokenizer's pattern has ", pattern_.size(),
                                        " bytes, more than ", kMaxPatternBytes));
  const std::string pattern = onig_to_pcre2(pattern_);
  const std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      require_memory(pcre2_compile_context_create(nullptr)), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  size_t offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                    &offset, context.get());
  if (code == nullptr)
    throw Error(ErrorKind::kInput, text("the pre-tokenizer's pattern ", in_quotes(pattern_),
                                        " is not valid: ", reason(error)));
  code_ = std::make_unique<Code>(code);
  // Where PCRE2 was built without JIT, pcre2_match interprets: slower, same result.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

std::optional<std::pair<size_t, size_t>> Regex::find(std::string_view subject, size_t start,
                                                     RegexScratch& scratch) const {
  const auto& data = *scratch.data_;
  const size_t limit = kMatchLimit + kMatchLimitPerByte * subject.size();
  pcre2_set_match_limit(data.context, static_cast<uint32_t>(std::min<size_t>(limit, UINT32_MAX)));
  const int found =
      pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), start,
                  PCRE2_NO_UTF_CHECK, data.match, data.context);
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (found < 0)
    throw Error(ErrorKind::kInput,
                text("the pre-tokenizer's pattern ", in_quotes(pattern_), " gave up on a text of ",
                     subject.size(), " bytes: ", reason(found)));
  const size_t* bounds = pcre2_get_ovector_pointer(data.match);
  return std::pair(bounds[0], bounds[1]);
}

}  // namespace plumb::models
