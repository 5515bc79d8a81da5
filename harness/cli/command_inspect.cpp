#include "base/error.h"
#include "base/file.h"
#include "harness/cli/common.h"
#include "harness/pipeline/facts.h"
#include "harness/pipeline/model_source.h"
#include "harness/pipeline/tokenized.h"

namespace plumb::harness {

namespace {

using Json = nlohmann::ordered_json;

std::vector<Flag> inspect_flags() {
  return {{"--model", "MODEL", "",
           "a GGUF file, a folder with config.json and safetensors, or org/name[@revision]"},
          {"--tensors", "", "", "list every tensor"},
          {"--tokenize", "FILE", "", "write token ids of JSONL's `text` or of each line of a text"},
          {"--special-tokens", "", "", "add BOS or EOS as the tokenizer's files say"},
          {"--out", "FILE", "", "where the ids go: one JSON array per line of the input"}};
}

std::string norm_name(models::Norm norm) {
  return norm == models::Norm::kRms ? "RMS norm" : "layer norm";
}

std::string form_name(models::BlockForm form) {
  if (form == models::BlockForm::kSequential) return "norms before attention and feed-forward";
  return form == models::BlockForm::kParallel ? "attention beside feed-forward"
                                              : "norms after attention and feed-forward";
}

std::string activation_name(const models::DecoderOptions& o) {
  const char* name = o.activation == models::Activation::kSilu       ? "SiLU"
                     : o.activation == models::Activation::kGeluTanh ? "GELU (tanh)"
                                                                     : "GELU";
  return text(name, o.gated ? ", gated" : "");
}

Json rope_scaling_json(const models::RopeScaling& s) {
  if (s.kind == models::RopeScaling::Kind::kNone) return nullptr;
  if (s.kind == models::RopeScaling::Kind::kLinear)
    return {{"type", "linear"}, {"factor", s.factor}};
  return {{"type", "llama3"},
          {"factor", s.factor},
          {"low_frequency_factor", s.low_frequency_factor},
          {"high_frequency_factor", s.high_frequency_factor},
          {"original_positions", s.original_positions}};
}

Json config_json(const models::ModelConfig& c) {
  Json json = {{"architecture", c.architecture},
               {"blocks", c.block_count},
               {"width", c.width},
               {"heads", c.head_count},
               {"kv_heads", c.kv_head_count},
               {"head_width", c.head_width},
               {"feed_forward_width", c.feed_forward_width},
               {"vocabulary_size", c.vocabulary_size},
               {"max_positions", c.max_positions},
               {"norm_epsilon", c.norm_epsilon},
               {"norm", norm_name(c.options.norm)},
               {"block", form_name(c.options.form)},
               {"activation", activation_name(c.options)},
               {"rope_theta", c.rope_theta},
               {"rotary_width", c.rotary_width},
               {"rope_scaling", rope_scaling_json(c.rope_scaling)},
               {"window", c.window == 0 ? Json(nullptr) : Json(c.window)},
               {"tied_embeddings", c.tied_embeddings}};
  json["bos_token"] = c.bos_token ? Json(*c.bos_token) : Json(nullptr);
  json["eos_token"] = c.eos_token ? Json(*c.eos_token) : Json(nullptr);
  return json;
}

Json tensors_json(const models::Checkpoint& checkpoint) {
  Json list = Json::array();
  for (const auto& tensor : checkpoint.tensors())
    list.push_back({{"name", tensor.name},
                    {"type", models::stored_type_name(tensor.type)},
                    {"shape", tensor.shape},
                    {"bytes", tensor.size_bytes()}});
  return list;
}

void say_model(const ModelFacts& facts, const Json& config, const Console& console) {
  console.say(
      text("file                ", printable(facts.file), ", ", bytes_text(facts.file_bytes)));
  console.say(text("sha256              ", facts.sha256));
  console.say(text("name                ", printable(facts.name)));
  console.say(text("license             ",
                   facts.license.empty() ? "the file names none" : printable(facts.license)));
  console.say(text("parameters          ", facts.parameters, " stored, as ", facts.stored_types));
  for (const auto& [key, value] : config.items()) {
    std::string name = key;
    name.resize(20, ' ');
    console.say(text(name, value.is_null()     ? "none"
                           : value.is_string() ? printable(value.get<std::string>())
                                               : printable(value.dump())));
  }
}

int tokenize(const std::string& model, const Arguments& arguments, const Console& console) {
  const std::string out = arguments.require("--out");
  const auto tokenizer = models::Tokenizer::open(model);
  const TokenizedFile ids =
      tokenize_file(arguments.require("--tokenize"), tokenizer, arguments.has("--special-tokens"));
  write_file_atomically(out, ids.json_lines);
  console.result({{"lines", ids.lines}, {"tokens", ids.tokens}, {"out", out}});
  console.say(
      text("wrote ", ids.tokens, " token ids of ", ids.lines, " lines to ", printable(out)));
  return 0;
}

int run_inspect(const Arguments& arguments, const Console& console) {
  const LocalModel found = local_model(arguments.get("--model").value_or(""), console);
  const std::string model = found.path.string();
  if (arguments.has("--tokenize")) return tokenize(model, arguments, console);
  if (arguments.has("--out"))
    throw Error(ErrorKind::kUsage, "--out is for the ids of --tokenize, which was not given");
  const auto checkpoint = models::Checkpoint::open(model);
  const ModelFacts facts = model_facts(checkpoint, found.origin);
  const Json config = config_json(checkpoint.config());
  Json json = to_json(facts);
  json["config"] = config;
  json["tensors"] = tensors_json(checkpoint);
  console.result(json);
  say_model(facts, config, console);
  if (!arguments.has("--tensors")) return 0;
  for (const Json& tensor : json["tensors"])
    console.say(text(printable(tensor["name"].get<std::string>()), "  ",
                     tensor["type"].get<std::string>(), " ", tensor["shape"].dump(), "  ",
                     tensor["bytes"].dump(), " bytes"));
  return 0;
}

}  // namespace

Command inspect_command() {
  return {"inspect", "what a model file holds: configuration, tensors, licence, hash; token ids",
          "plumb inspect --model model.gguf --tokenize text.jsonl --out ids.jsonl", inspect_flags(),
          run_inspect};
}

}  // namespace plumb::harness
