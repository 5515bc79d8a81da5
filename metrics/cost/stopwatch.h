#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace plumb::metrics {

/// Wall-clock milliseconds of one call of `call`, [repetitions], measured by Google Benchmark.
///
/// `call` runs once before it is timed. A repetition is as many calls as last about 20 ms by that
/// first one, at least one and at most 1000; its value is their mean.
/// Google Benchmark keeps one list of benchmarks a process: it is cleared before and after.
/// Errors: what `call` throws; Error{kInvariant} for fewer than one repetition, or while another
/// measurement of this process runs.
std::vector<double> repeated_ms(const std::string& name, int64_t repetitions,
                                const std::function<void()>& call);

}  // namespace plumb::metrics
