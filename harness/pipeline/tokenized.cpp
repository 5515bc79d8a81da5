#include "harness/pipeline/tokenized.h"

#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "harness/cli/signals.h"
#include "models/documents.h"

namespace plumb::harness {

namespace {

void append(TokenizedFile& out, std::string_view line, const models::Tokenizer& tokenizer,
            bool special_tokens) {
  throw_if_interrupted();
  std::vector<int32_t> ids;
  try {
    ids = tokenizer.encode(line, special_tokens);
  } catch (const Error& error) {
    throw error.within(text("line ", out.lines + 1));
  }
  out.json_lines += '[';
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out.json_lines += ',';
    out.json_lines += std::to_string(ids[i]);
  }
  out.json_lines += "]\n";
  out.tokens += static_cast<int64_t>(ids.size());
  ++out.lines;
}

}  // namespace

TokenizedFile tokenize_file(const std::filesystem::path& file, const models::Tokenizer& tokenizer,
                            bool special_tokens) {
  TokenizedFile out;
  const std::string name = file.filename().string();
  if (name.find(".json") != std::string::npos || name.find(".ndjson") != std::string::npos) {
    for (const auto& document : models::read_documents(file))
      append(out, document.text, tokenizer, special_tokens);
    return out;
  }
  const std::string bytes = read_file(file);
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    append(out, rest.substr(0, end), tokenizer, special_tokens);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

}  // namespace plumb::harness
