#include "harness/cli/verdict_output.h"

#include "base/error.h"

namespace plumb::harness {

nlohmann::ordered_json verdicts_json(const std::vector<Verdict>& verdicts) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Verdict& v : verdicts)
    list.push_back({{"claim", v.claim},
                    {"verdict", verdict_name(v.kind)},
                    {"reason", v.reason},
                    {"next_step", v.next_step},
                    {"required", v.required}});
  return {{"exit_code", exit_code(verdicts)}, {"verdicts", list}};
}

int inconclusive_code(const Arguments& arguments) {
  const std::string word = arguments.get("--inconclusive").value_or("3");
  if (word == "0" || word == "1" || word == "3") return word[0] - '0';
  throw Error(ErrorKind::kUsage,
              text("--inconclusive is '", printable(word), "', needed 0, 1 or 3"));
}

}  // namespace plumb::harness
