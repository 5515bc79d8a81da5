// What `plumb measure` counts on a device: on one that is not there (models/fake_device), whose driver's library is a stand-in
// (base/nvml_fake_plugin.cpp).

#include <gmock/gmock.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/testing.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;
using plumb::testing::Variable;

class MeasureOnADevice : public TinyCase {
 protected:
  Words on_device(Words words) const {
    words.insert(words.end(), {"--device", PLUMB_BINARY_DIR "/libplumb_fake_device.so"});
    return words;
  }
  /// Of `model` or the case's own.
  Words timed(Words words, const std::string& of = "") const {
    for (const char* word :
         {"--dtype", "fp32", "--threads", "1", "--repetitions", "2", "--tokens", "3"})
      words.emplace_back(word);
    words.insert(words.end(), {"--model", of.empty() ? model() : of});
    return on_device(words);
  }
  Json child(const Words& more = {}, const std::string& of = "") const {
    Words words =
        timed({"measure-child", "--context", "8", "--batch", "2", "--format", "json"}, of);
    words.insert(words.end(), more.begin(), more.end());
    const ChildOutput out = plumb(words);
    EXPECT_EQ(out.exit_code, 0) << out.err;
    return out.exit_code == 0 ? Json::parse(out.out) : Json();
  }

 private:
  Variable library_{"PLUMB_NVML", PLUMB_BINARY_DIR "/libplumb_fake_nvml.so"};
};

TEST_F(MeasureOnADevice, CountsWhatItsAllocatorAndItsDriverSay) {
  const Json out = child();
  const Json& there = out.at("memory").at("device");
  EXPECT_EQ(there.at("name"), "fake");
  EXPECT_EQ(there.at("product"), "Fake 1");
  const uint64_t loaded = there.at("loaded_bytes"), peak = there.at("allocated_bytes"),
                 reserved = there.at("reserved_bytes"),
                 weights = out.at("memory").at("weight_bytes"),
                 cache = out.at("memory").at("predicted_cache_bytes");
  EXPECT_GE(loaded, weights);
  EXPECT_GE(peak, loaded + cache);
  EXPECT_GE(reserved, peak);
  EXPECT_EQ(there.at("predicted_bytes").get<uint64_t>(),
            weights + cache + out.at("memory").at("predicted_activation_bytes").get<uint64_t>());
  EXPECT_TRUE(out.at("memory").at("predicted_peak_bytes").is_null());
  // Each of the stand-in's readings is 1.5 J after the one before.
  EXPECT_EQ(out.at("energy").at("device").at("joules"), 1.5);
  EXPECT_EQ(out.at("machine").at("device_sm_megahertz"), 1410.0);
  const Json& process = there.at("process_bytes");
  if (process.is_null())
    EXPECT_THAT(there.at("process_reason").get<std::string>(), HasSubstr("PID namespace"));
  else
    EXPECT_EQ(process, uint64_t{600} << 20);
}

// Its rows are looked up on the host.
TEST_F(MeasureOnADevice, ExpectsNoEmbeddingThatTheHeadDoesNotShare) {
  fixtures::TinyDecoderOptions options;
  options.tied_embeddings = false;
  const auto decoder = fixtures::tiny_decoder(options);
  fixtures::put(path("untied.gguf"),
                fixtures::tiny_gguf(decoder, models::StoredType::kF32).bytes());
  const Json memory = child({}, path("untied.gguf")).at("memory");
  const auto bytes = [](const Json& of, const char* key) { return of.at(key).get<uint64_t>(); };
  EXPECT_EQ(bytes(memory.at("device"), "predicted_bytes"),
            bytes(memory, "weight_bytes") + bytes(memory, "predicted_cache_bytes") +
                bytes(memory, "predicted_activation_bytes") - decoder.embedding().nbytes());
}

TEST_F(MeasureOnADevice, CountsLessOfAModelThatIsPruned) {
  const Json whole = child(), pruned = child({"--blocks", "2-8"});
  const auto bytes = [](const Json& out, const char* key) {
    return out.at("memory").at("device").at(key).get<uint64_t>();
  };
  const uint64_t less = whole.at("memory").at("block_bytes").get<uint64_t>() / 10 * 7;
  EXPECT_LE(bytes(pruned, "loaded_bytes"), bytes(whole, "loaded_bytes") - less);
  EXPECT_LE(bytes(pruned, "allocated_bytes"), bytes(whole, "allocated_bytes") - less);
}

TEST_F(MeasureOnADevice, DoubtsTimesOfADeviceThatIsSlowedDown) {
  const Variable hot("PLUMB_FAKE_NVML", "reasons=0x40");
  EXPECT_THAT(child().at("machine").at("doubts").get<Words>(),
              Contains(HasSubstr("hardware thermal slowdown")));
}

TEST_F(MeasureOnADevice, SaysWhyTheDriverCountsNothing) {
  const Variable refuses("PLUMB_FAKE_NVML", "nvmlInit_v2=3");
  const Json out = child();
  EXPECT_TRUE(out.at("energy").at("device").at("joules").is_null());
  EXPECT_EQ(out.at("energy").at("device").at("reason"), "nvmlInit_v2: Not Supported (3)");
  EXPECT_THAT(out.at("machine").at("unknown").get<Words>(), Contains("what slows the device down"));
  EXPECT_GT(out.at("memory").at("device").at("allocated_bytes"), 0);
}

TEST_F(MeasureOnADevice, WritesAndPrintsIt) {
  const ChildOutput out = plumb(
      timed({"measure", "--n", "0", "--contexts", "8", "--rounds", "1", "--out", path("cost")}));
  ASSERT_EQ(out.exit_code, 0) << out.err;
  EXPECT_THAT(out.out, HasSubstr("on the device 'fake'"));
  const auto rows = parse_csv(read_file(path("cost/measure.csv")));
  const auto column = std::find(rows[0].begin(), rows[0].end(), "device_joules") - rows[0].begin();
  EXPECT_EQ(rows[1][static_cast<size_t>(column)], "1.5");
  const Json json = Json::parse(read_file(path("cost/measure.json")));
  EXPECT_EQ(json.at("system").at("accelerator_model_name"), "Fake 1");
  EXPECT_THAT(json.at("configurations")[0].at("memory").at("device").at("allocated_bytes"),
              ::testing::SizeIs(2));
}

TEST_F(MeasureOnADevice, IsNotInWhatTheCpuPrints) {
  Words words = {"measure", "--n", "0", "--contexts", "8", "--rounds", "1", "--out", path("cost")};
  words = timed(words);
  words.back() = "cpu";
  const ChildOutput out = plumb(words);
  ASSERT_EQ(out.exit_code, 0) << out.err;
  EXPECT_THAT(out.out, ::testing::Not(HasSubstr("on the device")));
}

TEST_F(MeasureOnADevice, IsForetoldByTheDoctor) {
  const auto device = [&] {
    const ChildOutput out = plumb(on_device({"doctor", "--format", "json"}));
    EXPECT_EQ(out.exit_code, 0) << out.err;
    return Json::parse(out.out).at("device");
  };
  const Json there = device();
  EXPECT_EQ(there.at("device PCI bus id"), "face:01:00.0");
  EXPECT_EQ(there.at("device energy"), "counted by the device");
  EXPECT_EQ(there.at("device slowed down now by"), "nothing");
  EXPECT_EQ(there.at("device SM clock"), "1410 MHz");
  EXPECT_THAT(there.at("device allocator").get<std::string>(), HasSubstr(" allocated, "));
  const Variable absent("PLUMB_NVML", "/nowhere/libnvidia-ml.so.1");
  EXPECT_THAT(device().at("device energy").get<std::string>(),
              HasSubstr("unknown: the driver's library does not load"));
}

}  // namespace
}  // namespace plumb::harness::testing
