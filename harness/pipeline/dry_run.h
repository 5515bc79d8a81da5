#pragma once

#include "harness/cli/console.h"
#include "harness/experiment/settings.h"

namespace plumb::harness {

/// What a run would fetch, hold, read and take, from a model's config and a few seconds of measuring this machine. The
/// model need not be here: a config.json is enough. Runs no stage and writes nothing but the files that measure the
/// disk. Exit code 0; errors as a run's, a memory limit under which it would not start included.
int dry_run(Settings settings, const Console& console);

}  // namespace plumb::harness
