#include "harness/processes/processes.h"

#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/json_fields.h"
#include "harness/cli/signals.h"
#include "harness/experiment/experiment.h"
#include "harness/pipeline/work_journal.h"
#include "harness/processes/launcher.h"
#include "harness/processes/lifeline.h"
#include "harness/processes/mpi_table.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "libplumb_mpi.so";
std::atomic<Processes*> running = nullptr;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(
      ErrorKind::kResource,
      text("a launcher started several processes, which need MPI: ", why,
           "; build Plumb where Open MPI is (Debian: libopenmpi-dev), or start one process"));
}

fs::path plugin_file() {
  if (const char* named = std::getenv("PLUMB_MPI_PLUGIN"); named != nullptr && *named != '\0')
    return named;
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& file : {folder / kPlugin, folder.parent_path() / "lib" / "plumb" / kPlugin})
    if (fs::exists(file, ignored)) return file;
  refuse(text("there is no '", kPlugin, "' beside the program"));
}

const MpiTable& open_table() {
  const fs::path file = plugin_file();
  const std::string name = file.filename().string();
  // MPI's own plug-ins look for its symbols in the whole process.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    const char* why = dlerror();
    refuse(text("'", name, "' does not load (", why != nullptr ? why : "unknown reason", ")"));
  }
  using TableFunction = const MpiTable* (*)();
  const auto function = reinterpret_cast<TableFunction>(dlsym(library, kMpiTableSymbol));
  const MpiTable* table = function != nullptr ? function() : nullptr;
  if (table == nullptr || table->version != kMpiTableVersion)
    refuse(text("'", name, "' has table version ", table != nullptr ? table->version : 0,
                ", needed is ", kMpiTableVersion));
  return *table;
}

/// What ranks tell each other of where they run, as bytes.
struct Place {
  int64_t id = 0;
  char host[64] = {};
  char machine[40] =
      {};  ///< the kernel's number of this boot: hosts in containers may share a name
  cpu_set_t cores = {};
  int64_t quota = 0;  ///< cores that the cgroup grants; 0: all
};
static_assert(sizeof(Place) % 4 == 0);

Place this_place() {
  Place out;
  out.id = ::getpid();
  ::gethostname(out.host, sizeof out.host - 1);
  std::ifstream("/proc/sys/kernel/random/boot_id").read(out.machine, sizeof out.machine - 4);
  CPU_ZERO(&out.cores);
  if (::sched_getaffinity(0, sizeof out.cores, &out.cores) != 0) CPU_SET(0, &out.cores);
  out.quota = quota_threads();
  return out;
}

/// Cores of a rank that it has alone, or its part of those that others may use as well.
ProcessFacts facts_of(const std::vector<Place>& places, size_t rank) {
  const Place& mine = places[rank];
  ProcessFacts out{static_cast<int>(rank), mine.id, mine.host};
  out.here = 0;
  int64_t sharing = 0;
  for (size_t other = 0; other < places.size(); ++other) {
    if (std::strcmp(places[other].machine, mine.machine) != 0) continue;
    if (other < rank) ++out.place;
    ++out.here;
    cpu_set_t common;
    CPU_AND(&common, &mine.cores, &places[other].cores);
    sharing += CPU_COUNT(&common) > 0 ? 1 : 0;
  }
  out.threads = CPU_COUNT(&mine.cores) / std::max<int64_t>(1, sharing);
  if (mine.quota > 0) out.threads = std::min(out.threads, mine.quota / out.here);
  out.threads = std::max<int64_t>(1, out.threads);
  return out;
}

}  // namespace

Processes* running_processes() noexcept { return running; }

Processes::Processes() { facts_.push_back(facts_of({this_place()}, 0)); }

Processes& Processes::of_launcher() {
  static auto* const out = new Processes;
  const Launch launch = find_launch();
  if (launch == Launch::kAlone || out->table_ != nullptr) return *out;
  if (launch == Launch::kNoPmi)
    throw Error(ErrorKind::kResource,
                "srun started several processes that cannot find each other; needed is "
                "srun --mpi=pmix (srun --mpi=list has what it knows), or mpirun");
  out->table_ = &open_table();
  out->require(out->table_->begin(&out->rank_, &out->count_, [] { return pending_signal() != 0; }));
  if (out->count_ == 1)
    throw Error(ErrorKind::kResource,
                text("a launcher started several processes, but ", out->table_->library,
                     " finds only this one: it speaks another language than that launcher; take "
                     "Open MPI's own mpirun, or srun --mpi=pmix"));
  out->learn_facts();
  running = out;
  return *out;
}

void Processes::learn_facts() {
  const Place mine = this_place();
  const std::vector<Place> places = gather(std::span(&mine, 1));
  facts_.clear();
  for (size_t rank = 0; rank < places.size(); ++rank) facts_.push_back(facts_of(places, rank));
  const auto names = [this](int rank) { return name(rank); };
  Lifeline::Address address;
  if (is_first()) {
    lifeline_ = std::make_unique<Lifeline>(count_, names);
    address = lifeline_->address();
    std::memcpy(address.machine, mine.machine, sizeof address.machine);
  }
  broadcast(&address, sizeof address);
  if (!is_first())
    lifeline_ = std::make_unique<Lifeline>(rank_, count_, names, address, mine.machine);
  if (is_first())
    for (const int absent : lifeline_->accept_all()) {
      const std::string line =
          text("plumb: warning: ", name(absent),
               " cannot be reached by TCP: should it die, only the launcher can say so\n");
      std::fwrite(line.data(), 1, line.size(), stderr);
    }
  lifeline_->watch();
}

Processes::~Processes() = default;

std::string Processes::name(int rank) const {
  const ProcessFacts& one = facts_[static_cast<size_t>(rank)];
  return text("rank ", rank, " of ", count_, " (", one.host, ", process ", one.id, ")");
}

int64_t Processes::threads() const {
  return std::ranges::min_element(facts_, {}, &ProcessFacts::threads)->threads;
}

void Processes::require(const char* reason) const {
  if (reason == nullptr) return;
  if (reason == table_->stopped) throw_if_interrupted();
  throw Error(ErrorKind::kResource, text(facts_.size() > 1 ? name(rank_) : "this process",
                                         " cannot speak with the others by MPI: ", reason));
}

void Processes::exchange(const void* send, void* receive, uint64_t bytes) const {
  if (are_several())
    require(table_->exchange(send, receive, bytes));
  else if (bytes > 0)
    std::memcpy(receive, send, bytes);
}

void Processes::gather_bytes(const void* send, void* receive, uint64_t bytes) const {
  if (are_several())
    require(table_->gather(send, receive, bytes));
  else if (bytes > 0)
    std::memcpy(receive, send, bytes);
}

void Processes::broadcast(void* data, uint64_t bytes) const {
  if (are_several()) require(table_->broadcast(data, bytes));
}

std::string Processes::broadcast(const std::string& words) const {
  uint64_t size = words.size();
  broadcast(&size, sizeof size);
  std::string out = words;
  out.resize(size);
  broadcast(out.data(), size);
  return out;
}

void Processes::stop_together() const {
  if (!are_several()) return throw_if_interrupted();
  const int32_t mine = pending_signal();
  for (const int32_t signal : gather(std::span(&mine, 1)))
    if (signal != 0) throw Interrupted{signal};
}

void Processes::first_then_others(const std::function<void()>& work) const {
  int32_t done = 1;
  if (is_first()) work();
  broadcast(&done, sizeof done);
  if (!is_first()) work();
}

void Processes::require_same(const std::string& json, const std::string& what) const {
  if (!are_several()) return;
  const std::string firsts = broadcast(is_first() ? json : std::string());
  if (firsts == json) return;
  throw Error(ErrorKind::kUsage, text("its ", what, " is not that of rank 0: ",
                                      key_differences(parse_json(json), parse_json(firsts)),
                                      "; all ranks need the same program, files and settings"));
}

void Processes::send_to_first(std::span<const char> bytes) const {
  require(table_->send(bytes.data(), bytes.size(), 0));
}

bool Processes::take_message(std::vector<char>& bytes) const {
  if (!are_several()) return false;
  int from = -1;
  uint64_t size = 0;
  require(table_->look(&from, &size));
  if (from < 0) return false;
  bytes.resize(size);
  require(table_->take(from, bytes.data(), size));
  return true;
}

void Processes::end() {
  if (table_ == nullptr) return;
  if (are_several()) {
    const int32_t here = 1;
    gather(std::span(&here, 1));
    lifeline_->end();
    running = nullptr;
  }
  require(table_->end());
}

void Processes::fail(int code, const std::string& message) noexcept {
  if (lifeline_ != nullptr) lifeline_->fail(code, message);
}

}  // namespace plumb::harness
