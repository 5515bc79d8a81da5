#include "base/environment.h"

#include <openssl/crypto.h>
#include <sched.h>

#include <boost/version.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/commit.h"
#include "base/environment_probe.h"
#include "base/error.h"
#include "base/system_description.h"

namespace plumb {
namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char* kCompiler = "g++ " __VERSION__;
#else
constexpr const char* kCompiler = "unknown compiler";
#endif

std::string build_type() {
  const std::string type = PLUMB_BUILD_TYPE;
  return type.empty() ? "no build type" : type;
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

/// Facts and warnings about how this program and the libraries of `base` were built.
void add_build(Environment& out) {
  out.build = {{"version", PLUMB_VERSION},
               {"commit", source_commit()},
               {"build type", build_type()},
               {"compiler", kCompiler},
               {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
               {"nlohmann json", text(NLOHMANN_JSON_VERSION_MAJOR, ".", NLOHMANN_JSON_VERSION_MINOR,
                                      ".", NLOHMANN_JSON_VERSION_PATCH)},
               {"Boost", text(BOOST_VERSION / 100000, ".", BOOST_VERSION / 100 % 1000, ".",
                              BOOST_VERSION % 100)}};
#ifdef __SANITIZE_ADDRESS__
  out.warnings.push_back("this build runs under a sanitizer: its timings and memory mean nothing");
#endif
#ifndef NDEBUG
  out.warnings.push_back(text("this is a debug build (", build_type(),
                              "): its timings mean nothing; build with the preset 'release'"));
#endif
  const std::string benchmark_build = benchmark_library_build();
  out.build.emplace_back("Google Benchmark", benchmark_build + " build");
  if (benchmark_build == "debug")
    out.warnings.push_back(
        "Google Benchmark was built as debug (Debian's package is): timings below a "
        "microsecond an iteration may be too long");
}

}  // namespace

Environment environment() {
  Environment out;
  add_build(out);
  MachineProbe machine = probe_machine("/", usable_cores());
  out.machine = std::move(machine.facts);
  out.machine.emplace_back("timing fingerprint", timing_fingerprint(describe_system()));
  for (std::string& warning : machine.warnings) out.warnings.push_back(std::move(warning));
  return out;
}

std::string version_line() {
  // g++'s __VERSION__ may go on after its number: "12.2.0 20220819".
  const std::string compiler = kCompiler;
  const std::string name = compiler.substr(0, compiler.find(' ', compiler.find(' ') + 1));
  return text("plumb ", PLUMB_VERSION, " (commit ", source_commit(), ", ", build_type(), ", ", name,
              ")");
}

}  // namespace plumb
