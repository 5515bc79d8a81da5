// The program from outside: what a bad command line or input says, its exit code, and that it leaves nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;
using testing::plumb;
using ::testing::StartsWith;
using testing::TinyCase;
using Words = std::vector<std::string>;

class Program : public TinyCase {
 protected:
  /// One line on stderr that has `said`, nothing on stdout, the code, and no new file or folder.
  void expect_refused(const Words& words, int code, const std::string& said) {
    const auto before = everything();
    const ChildOutput result = plumb(words);
    EXPECT_EQ(result.exit_code, code) << said;
    EXPECT_EQ(result.out, "") << said;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_THAT(result.err, AllOf(StartsWith("plumb: "), HasSubstr(said)));
    EXPECT_EQ(everything(), before) << said;
  }

  Words sweep(const Words& more = {}) const { return sweep_of(model(), text_file(), more); }
  Words sweep_of(const std::string& model, const std::string& documents,
                 const Words& more = {}) const {
    Words words{"sweep", "--model", model, "--documents", documents, "--out", path("new/out")};
    for (const std::string& word : more) words.push_back(word);
    const auto unset = [&](const char* flag) {
      return std::find(words.begin(), words.end(), flag) == words.end();
    };
    if (unset("--max-tokens")) words.insert(words.end(), {"--max-tokens", "32"});
    if (unset("--limit")) words.insert(words.end(), {"--limit", "16"});
    return words;
  }

  std::string file(const std::string& name, std::string_view bytes) const {
    fixtures::put(path(name), bytes);
    return path(name);
  }
};

TEST_F(Program, RefusesWordsThatItDoesNotKnow) {
  expect_refused({}, 2, "no command was given; plumb has run, fetch");
  expect_refused({"swep"}, 2, "did you mean 'sweep'?");
  expect_refused({"gate"}, 2, "--baseline is missing");
  expect_refused({"baseline"}, 2, "action is missing");
  expect_refused(sweep({"--strategie", "simple"}), 2, "did you mean '--strategies'?");
  expect_refused({"sweep", "--n"}, 2, "--n");
  expect_refused(sweep({"--format", "xml"}), 2, "needed human, json or quiet");
  expect_refused(sweep({"--dtype", "fp8"}), 2, "needed fp32, bf16 or auto");
  expect_refused(sweep({"--threads", "-1"}), 2, "needed a whole number of at least 0");
  expect_refused(sweep({"--seed", "one"}), 2, "needed a whole number");
  expect_refused(sweep({"--set", "sweep.m=3"}), 2, "did you mean 'sweep.n'?");
  expect_refused(sweep({"--set", "sweep.n"}), 2, "needed KEY=VALUE");
  expect_refused({"inspect"}, 2, "no model was named");
  expect_refused({"profile", "--model", model(), "--out", path("new")}, 2, "no text was named");
  expect_refused({"report"}, 2,
                 "needed one of folders of runs, --validate FILE and --history FILE");
  expect_refused({"verify"}, 2, "--run is missing");
}

TEST_F(Program, RefusesValuesOutOfRangeBeforeAnyWork) {
  expect_refused(sweep({"--n", "0-10"}), 2, "n = 10 is out of range, needed 0..9");
  expect_refused(sweep({"--n", "9-2"}), 2, "9-2");
  expect_refused(sweep({"--strategies", "similarty"}), 2,
                 "there is no strategy 'similarty', did you mean 'similarity'?");
  expect_refused(sweep({"--positions", "1"}), 2, "at least 2");
  expect_refused(sweep({"--documents-per-step", "0"}), 2, "at least 1");
  expect_refused(sweep({"--max-tokens", "1"}), 2, "at least 2");
  expect_refused({"measure", "--model", model(), "--n", "11", "--out", path("new")}, 2,
                 "needed 0..9");
  const auto measure = [&](const std::string& contexts) {
    return Words{"measure", "--model", model(), "--contexts", contexts, "--out", path("new")};
  };
  expect_refused(measure("8,600"), 2, "prompts of 600 tokens and 32 more were asked for");
  expect_refused(measure("8,x"), 2, "'x' in --contexts '8,x' is no whole number");
  expect_refused(measure("0"), 2, "is no whole number of at least 1");
  const std::vector<std::pair<Words, std::string>> prunes = {
      {{"--first", "0", "--n", "10"}, "--n is 10, needed 1..9"},
      {{"--first", "9", "--n", "2"}, "--first is 9, needed 0..8"},
      {{"--first", "-1", "--n", "1"}, "--first is '-1'"},
      {{"--blocks", "3,10"}, "the model has blocks 0..9"},
      {{"--blocks", "3,3"}, "name each block once"},
      {{"--blocks", ""}, "write for example 3,7-9"},
      {{"--strategy", "simple", "--n", "10"}, "--n is 10, needed 1..9"},
      {{"--strategy", "simplest", "--n", "1"}, "needed simple, random or similarity"},
      {{"--strategy", "similarity", "--n", "1"}, "without --plans"},
      {{"--strategy", "simple", "--first", "1", "--n", "1"}, "--strategy and --first were given"},
      {{"--seed", "1"}, "--seed was given without --strategy"},
      {{"--blocks", "3", "--format", "ggfu"},
       "--format is 'ggfu', needed human, json, quiet, safetensors or gguf"},
      {{"--blocks", "3", "--format", "gguf", "--format", "safetensors"},
       "--format was given as gguf and as safetensors"},
      {{"--blocks", "3", "--format", "gguf"}, "is no name of a GGUF file"},
      {{}, "no blocks were named"}};
  for (const auto& [more, said] : prunes) {
    Words words{"prune", "--model", model(), "--out", path("new/pruned")};
    words.insert(words.end(), more.begin(), more.end());
    expect_refused(words, 2, said);
  }
}

TEST_F(Program, RefusesModelsThatAreNone) {
  const auto cut = [&](size_t bytes) { return file("bad.gguf", model_bytes().substr(0, bytes)); };
  expect_refused(sweep_of(path("nowhere.gguf"), text_file()), 4, "does not exist");
  ::setenv("HF_HUB_OFFLINE", "1", 1);  // a test asks nobody
  ::setenv("HF_HUB_CACHE", path("nothing").c_str(), 1);
  expect_refused(sweep_of("org/name", text_file()), 5, "which is no file or folder here");
  expect_refused(sweep_of("org/name.gguf", text_file()), 4, "does not exist");
  ::unsetenv("HF_HUB_OFFLINE");
  ::unsetenv("HF_HUB_CACHE");
  for (const size_t bytes :
       {size_t{0}, size_t{3}, size_t{20}, size_t{2000}, model_bytes().size() - 1})
    expect_refused(sweep_of(cut(bytes), text_file()), 4, "bad.gguf");
  fs::create_directory(path("folder"));
  expect_refused(sweep_of(path("folder"), text_file()), 4, "has no config.json");
  file("folder/config.json", R"({"architectures": ["RwkvForCausalLM"], "model_type": "rwkv"})");
  expect_refused(sweep_of(path("folder"), text_file()), 4, "architecture is 'RwkvForCausalLM'");
  expect_refused(sweep_of(file("model.bin", "PK\3\4 pickled"), text_file()), 4, "model.bin");
}

TEST_F(Program, RefusesTextsThatAreNone) {
  using namespace std::string_literals;
  expect_refused(sweep_of(model(), path("nowhere.jsonl")), 4, "nowhere.jsonl");
  expect_refused(sweep_of(model(), file("empty.jsonl", "")), 4, "is empty");
  expect_refused(sweep_of(model(), file("binary.txt", "a\0b"s)), 4, "byte 1");
  expect_refused(sweep_of(model(), file("latin.txt", "caf\xe9 au lait")), 4, "byte 3");
  expect_refused(sweep_of(model(), file("bad.jsonl", "{\"text\": \"a\"}\n{\"txt\": 1}\n")), 4,
                 "line 2");
  expect_refused(sweep_of(model(), file("cut.jsonl", "{\"text\": \"a")), 4, "line 1");
  expect_refused(sweep({"--limit", "21"}), 4, "has 20 documents of at least 32 tokens");
  expect_refused(sweep({"--max-tokens", "41"}), 4, "has 0 documents of at least 41 tokens");
}

TEST_F(Program, RefusesAnExperimentThatItDoesNotUnderstand) {
  const auto run = [&](std::string_view json) {
    return Words{"run", "--config", file("e.json", json), "--out", path("new")};
  };
  expect_refused(run(R"({"swep": {}})"), 2,
                 "unknown key 'swep' in '" + path("e.json") + "'; did you mean 'sweep'?");
  expect_refused(run(R"({"sweep": {"m": "1"}})"), 2, "unknown key 'm'");
  expect_refused(run(R"({"sweep": {"n": 3}})"), 2, "needed a text");
  expect_refused(run(R"({"sweep": "0-3"})"), 2, "needed an object");
  expect_refused(run(R"({"seed": 1, "seed": 2})"), 2, "seed");
  expect_refused(run("{\"seed\": 1"), 2, "e.json");
  expect_refused(run("[]"), 2, "needed an object");
  expect_refused({"run", "--config", path("nowhere.json")}, 4, "nowhere.json");
  expect_refused(run(R"({"claims": {"required": ["memory-fall"]}})"), 2,
                 "did you mean 'memory-falls'?");
}

TEST_F(Program, RefusesAFolderThatCannotBeWritten) {
  const std::string taken = file("taken", "a file");
  const auto to = [&](const std::string& folder) {
    return Words{"sweep", "--model", model(), "--documents", text_file(), "--max-tokens",
                 "32",    "--limit", "16",    "--out",       folder};
  };
  expect_refused(to(taken), 6, "cannot write into folder");
  expect_refused(to(taken + "/below"), 6, "cannot write into folder");
  expect_refused(to("/proc/plumb"), 6, "choose another output folder");
  expect_refused(
      {"prune", "--model", model(), "--first", "1", "--n", "1", "--out", taken + "/below"}, 6,
      "taken");
  EXPECT_EQ(read_file(taken), "a file");
}

TEST_F(Program, NamesNaNInWeightsInsteadOfAveragingIt) {
  fixtures::TinyDecoderOptions options;
  auto gguf = fixtures::tiny_gguf(fixtures::tiny_decoder(options), models::StoredType::kF32);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  gguf.tensor("blk.3.ffn_down.weight").bytes.replace(400, sizeof nan, fixtures::little_endian(nan));
  expect_refused(sweep_of(file("nan.gguf", gguf.bytes()), text_file()), 4, "blk.3.ffn_down.weight");
}

TEST_F(Program, TellsControlCharactersInAFileNameFromItsOwnWords) {
  const ChildOutput result = plumb(sweep_of(path("a\nb\x1b[2J.gguf"), text_file()));
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  EXPECT_THAT(result.err, Not(HasSubstr("\x1b")));
}

TEST_F(Program, ExplainsItself) {
  for (const Words& words : {Words{"--help"}, Words{"help"}}) {
    const ChildOutput help = plumb(words);
    EXPECT_EQ(help.exit_code, 0);
    for (const char* command :
         {"run", "inspect", "profile", "prune", "sweep", "measure", "verify", "report", "doctor"}) {
      EXPECT_THAT(help.out, HasSubstr(command));
      const ChildOutput own = plumb({command, "--help"});
      EXPECT_EQ(own.exit_code, 0) << command;
      EXPECT_THAT(own.out, AllOf(HasSubstr("Usage: plumb "), HasSubstr("Example:"))) << command;
    }
  }
  EXPECT_EQ(plumb({"help", "sweep"}).out, plumb({"sweep", "--help"}).out);
  const ChildOutput version = plumb({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  for (const char* fact : {"plumb 0.", "commit", "compiler", "libtorch", "CUDA"})
    EXPECT_THAT(version.out, HasSubstr(fact));
  const ChildOutput doctor = plumb({"doctor", "--self-test"});
  EXPECT_EQ(doctor.exit_code, 0) << doctor.out << doctor.err;
}

TEST_F(Program, GivesTheSameNumbersAsTextAndAsJson) {
  const ChildOutput human =
      plumb(sweep({"--n", "0-3", "--strategies", "simple,random,block-influence,similarity"}));
  ASSERT_EQ(human.exit_code, 0) << human.err;
  const std::string csv = read_file(path("new/out/loss.csv"));
  const ChildOutput json =
      plumb(sweep({"--n", "0-3", "--strategies", "simple,random,block-influence,similarity",
                   "--format", "json"}));
  ASSERT_EQ(json.exit_code, 0) << json.err;
  EXPECT_EQ(read_file(path("new/out/loss.csv")), csv);
  const auto result = nlohmann::json::parse(json.out);
  EXPECT_EQ(result.at("plans"), 13);  // n = 0 once, 3 of each strategy
  EXPECT_EQ(result.at("losses").size(), 16U);
  EXPECT_EQ(nlohmann::json::parse(read_file(path("new/out/sweep.json"))), result);
  const ChildOutput quiet = plumb(sweep({"--n", "0-3", "--format", "quiet"}));
  EXPECT_EQ(quiet.out + quiet.err, "");
}

TEST_F(Program, PrunesAsAStrategySays) {
  const auto pruned = [&](const Words& more) {
    Words words{"prune", "--model", model(), "--out", path("pruned"), "--format", "json"};
    words.insert(words.end(), more.begin(), more.end());
    const ChildOutput result = plumb(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    fs::remove_all(path("pruned"));
    return nlohmann::json::parse(result.out).at("removed").get<std::vector<int64_t>>();
  };
  EXPECT_EQ(pruned({"--strategy", "simple", "--n", "3"}), (std::vector<int64_t>{6, 7, 8}));
  EXPECT_EQ(pruned({"--strategy", "random", "--n", "3", "--seed", "5"}),
            pruned({"--strategy", "random", "--n", "3", "--seed", "5"}));
  const std::string plans = file("plans.csv", "n,first,stability,removed\n1,4,1,4\n2,5,1,5-6\n");
  EXPECT_EQ(pruned({"--strategy", "similarity", "--plans", plans, "--n", "2"}),
            (std::vector<int64_t>{5, 6}));
}

}  // namespace
}  // namespace plumb::harness
