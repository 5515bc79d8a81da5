// What can be wrong with the bytes: each fault ends in the right file or in an error that says which, never in a wrong
// file in the cache. Transient faults (once) are got over.

#include <gtest/gtest.h>
#include <zlib.h>

#include "fixtures/hub/hub_faults.h"
#include "harness/fetch/fetch_testing.h"

namespace plumb::harness {
namespace {

using namespace fixtures;  // the faults
using testing::expect_ending;
using testing::FaultCase;
using testing::HubTrial;
using testing::kAlways;
using testing::kOnce;
using testing::kShort;
using enum ErrorKind;
using Ending = LoopbackResponse::Ending;

std::string flip_one(std::string bytes) {
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  return bytes;
}

std::string gzip(const std::string& bytes) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::string kLoginPage =
    "<!DOCTYPE html><html><body>Sign in to use this network</body></html>\n";

std::vector<FaultCase> body_faults() {
  return {
      {"one byte missing", short_by(1), kOnce},
      {"one byte missing of every answer", short_by(1), kAlways, kNetwork},
      {"half of the body missing", cut_at(0.5), kOnce},
      {"half of what is left missing every time", cut_at(0.5), 4},
      {"no byte of the body", cut_at(0), kOnce},
      {"never a byte of the body", cut_at(0), kAlways, kNetwork},
      {"a whole answer that is one byte short",
       changed([](std::string bytes) { return bytes.substr(0, bytes.size() - 1); }), kAlways,
       kInput},
      {"one byte too many", changed([](const std::string& bytes) { return bytes + "x"; }), kAlways,
       kInput},
      {"the right size and one bit wrong", changed(flip_one), kAlways, kInput},
      {"a login page with status 200", both(body(kLoginPage), header("Content-Type", "text/html")),
       kAlways, kInput},
      {"an empty answer with status 200", body(""), kAlways, kInput},
      {"gzip although identity was asked", both(changed(gzip), header("Content-Encoding", "gzip")),
       kAlways, kInput},
      {"in chunks, without a length", chunked()},
      {"without a length, up to the connection's end", length("")},
      {"a body without end", endless(), kAlways, kInput},
      {"a length of 2^63", length("9223372036854775808"), kAlways, kInput},
      {"a length of 2^63 - 1", length("9223372036854775807"), kAlways, kInput},
      {"a length that is no number", length("many"), kOnce},
      {"nothing more after half of the body", cut_at(0.5, Ending::kStall), kOnce, {}, "", kShort},
      {"nothing at all", cut_header(0, Ending::kStall), kOnce, {}, "", kShort},
      {"never anything at all", cut_header(0, Ending::kStall), kAlways, kNetwork, "nothing came",
       kShort},
      {"a byte each second", pace(1), kAlways, kNetwork, "nothing came", kShort},
      {"reset within the header", cut_header(20, Ending::kReset), kOnce},
      {"reset within every header", cut_header(20, Ending::kReset), kAlways, kNetwork},
      {"reset within the body", cut_at(0.3, Ending::kReset), kOnce},
      {"early hints before the answer",
       preamble("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n")},
      {"what is no HTTP", preamble("SSH-2.0-Somebody\r\n"), kAlways, kNetwork},
      {"closed without an answer", cut_header(0, Ending::kClose), kOnce},
  };
}

TEST(FetchBodyFaults, EndInTheRightFileOrInTheRightError) {
  const auto faults = body_faults();
  for (const FaultCase& fault : faults)
    for (const bool lfs : {false, true}) {
      HubTrial trial;
      const HubFile& file = lfs ? trial.large() : trial.plain();
      expect_ending(trial, file, fault, testing::body_of(file));
    }
  HubTrial trial;  // small files get there at that pace
  expect_ending(
      trial, trial.large(),
      {"twenty bytes each second", pace(20), kAlways, kNetwork, "bytes per second", kShort},
      testing::body_of(trial.large()));
  testing::print_count("of the bytes", faults.size() + 1);
}

}  // namespace
}  // namespace plumb::harness
