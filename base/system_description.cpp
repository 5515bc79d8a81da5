#include "base/system_description.h"

#include <sched.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/hash.h"
#include "base/system_files.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using system_files::field;
using system_files::fields;
using system_files::first_line;
using system_files::gibibytes;
using system_files::names_in;
using system_files::number;
using system_files::number_in;
using Facts = SystemDescription::Facts;

constexpr const char* kUnknown = "unknown";
constexpr const char* kNone = "N/A";

std::string or_unknown(std::string value) { return value.empty() ? kUnknown : value; }

std::string joined(const std::vector<std::string>& all, const char* between) {
  std::string out;
  for (const std::string& one : all) out.append(out.empty() ? "" : between).append(one);
  return out;
}

/// The word in brackets, as in "always [madvise] never".
std::string chosen(const std::string& line) {
  const size_t begin = line.find('['), end = line.find(']');
  return begin == std::string::npos || end == std::string::npos || end < begin
             ? ""
             : line.substr(begin + 1, end - begin - 1);
}

/// cpu0, cpu1, ... below sys/devices/system/cpu.
std::vector<fs::path> processors(const fs::path& root) {
  const fs::path folder = root / "sys/devices/system/cpu";
  std::vector<fs::path> out;
  for (const std::string& name : names_in(folder, "cpu"))
    if (name.size() > 3 &&
        std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; }))
      out.push_back(folder / name);
  return out;
}

/// The distinct first lines of one file of every processor.
std::string of_processors(const fs::path& root, const char* file) {
  std::set<std::string> found;
  for (const fs::path& processor : processors(root))
    if (const std::string line = first_line(processor / file); !line.empty()) found.insert(line);
  return joined({found.begin(), found.end()}, ", ");
}

/// Physical cores and packages: distinct pairs and firsts in /proc/cpuinfo; 0 where it does not say.
struct Sockets {
  size_t packages = 0, cores = 0;
};
Sockets sockets(const fs::path& root) {
  Sockets out;
  out.packages = fields(root / "proc/cpuinfo", "physical id", ':').size();
  std::set<std::string> cores;
  for (const fs::path& processor : processors(root)) {
    const std::string package = first_line(processor / "topology/physical_package_id"),
                      core = first_line(processor / "topology/core_id");
    if (!package.empty() && !core.empty()) cores.insert(package + " " + core);
  }
  out.cores = cores.size();
  return out;
}

std::string frequency(const fs::path& root) {
  const std::string most = of_processors(root, "cpufreq/cpuinfo_max_freq");
  if (const auto khz = number(most)) return text("at most ", *khz / 1e6, " GHz");
  const auto now = fields(root / "proc/cpuinfo", "cpu MHz", ':');
  return now.size() == 1 ? text(now.front(), " MHz, as the kernel reads it") : kUnknown;
}

std::string caches(const fs::path& root) {
  std::vector<std::string> out;
  const fs::path folder = root / "sys/devices/system/cpu/cpu0/cache";
  for (const std::string& index : names_in(folder, "index")) {
    const std::string type = first_line(folder / index / "type");
    out.push_back(text("L", first_line(folder / index / "level"),
                       type == "Data"          ? "d"
                       : type == "Instruction" ? "i"
                                               : "",
                       " ", first_line(folder / index / "size")));
  }
  return or_unknown(joined(out, ", "));
}

/// Disks and their 512-byte sectors, but for loops, memory disks and what lies on other disks.
struct Storage {
  double bytes = 0;
  std::set<std::string> kinds;
};
Storage storage(const fs::path& root) {
  Storage out;
  const fs::path folder = root / "sys/block";
  for (const std::string& name : names_in(folder, "")) {
    const auto is = [&](const char* prefix) { return name.starts_with(prefix); };
    if (is("loop") || is("ram") || is("zram") || is("dm-") || is("md") || is("sr")) continue;
    out.bytes += number_in(folder / name / "size").value_or(0) * 512;
    const std::string turns = first_line(folder / name / "queue/rotational");
    out.kinds.insert(is("vd")       ? "virtual disk"
                     : is("nvme")   ? "NVMe SSD"
                     : turns == "0" ? "SSD"
                     : turns == "1" ? "rotating disk"
                                    : "disk");
  }
  return out;
}

/// Network cards that are devices, or virtual ones' first.
std::vector<std::string> network_cards(const fs::path& root) {
  std::vector<std::string> out;
  const fs::path folder = root / "sys/class/net";
  std::error_code ignored;
  for (const std::string& name : names_in(folder, ""))
    if (fs::exists(folder / name / "device", ignored)) {
      const auto speed = number_in(folder / name / "speed");
      out.push_back(speed && *speed > 0 ? text(*speed, " Mbit/s") : "unknown speed");
    }
  return out;
}

void add_accelerators(const fs::path& root, Facts& out) {
  const fs::path folder = root / "proc/driver/nvidia/gpus";
  const auto cards = names_in(folder, "");
  std::set<std::string> models;
  for (const std::string& card : cards)
    if (const std::string model = field(folder / card / "information", "Model", ':');
        !model.empty())
      models.insert(model);
  const bool none = cards.empty();
  out.emplace_back("accelerators_per_node", std::to_string(cards.size()));
  out.emplace_back("accelerator_model_name",
                   none ? kNone : or_unknown(joined({models.begin(), models.end()}, ", ")));
  out.emplace_back("accelerator_memory_capacity", none ? kNone : kUnknown);
}

std::string machine_name(const fs::path& root) {
  const fs::path dmi = root / "sys/class/dmi/id";
  const std::string vendor = first_line(dmi / "sys_vendor"),
                    product = first_line(dmi / "product_name");
  return or_unknown(vendor.empty() || product.empty() ? vendor + product : vendor + " " + product);
}

std::string operating_system(const fs::path& root) {
  const std::string name = field(root / "etc/os-release", "PRETTY_NAME", '='),
                    kernel = first_line(root / "proc/sys/kernel/osrelease");
  if (name.empty() && kernel.empty()) return kUnknown;
  return text(or_unknown(name), kernel.empty() ? "" : ", Linux ", kernel);
}

Facts required_fields(const fs::path& root, const std::string& cpu) {
  const Sockets socket = sockets(root);
  const Storage disks = storage(root);
  const auto cards = network_cards(root);
  const auto memory = number(field(root / "proc/meminfo", "MemTotal", ':'));
  const auto count = [](size_t value) { return value == 0 ? kUnknown : std::to_string(value); };
  Facts out = {
      {"division", kUnknown},
      {"submitter", kUnknown},
      {"status", kUnknown},
      {"system_name", machine_name(root)},
      {"number_of_nodes", "1"},
      {"host_processor_model_name", cpu},
      {"host_processors_per_node", count(socket.packages)},
      {"host_processor_core_count", count(socket.cores)},
      {"host_memory_capacity", memory ? gibibytes(*memory * 1024) : kUnknown},
      {"host_storage_capacity", disks.bytes > 0 ? gibibytes(disks.bytes) : kUnknown},
      {"host_storage_type", or_unknown(joined({disks.kinds.begin(), disks.kinds.end()}, ", "))}};
  add_accelerators(root, out);
  const bool no_accelerator = out[out.size() - 3].second == "0";
  out.insert(out.end(), {{"framework", kUnknown},
                         {"operating_system", operating_system(root)},
                         {"system_type", kUnknown},
                         {"other_software_stack", kUnknown},
                         {"host_processor_frequency", frequency(root)},
                         {"host_processor_caches", caches(root)},
                         {"host_memory_configuration", kUnknown},
                         {"host_processor_interconnect", socket.packages == 1 ? kNone : kUnknown},
                         {"host_networking", or_unknown(joined(cards, ", "))},
                         {"host_networking_topology", kUnknown}});
  for (const char* name : {"accelerator_frequency", "accelerator_host_interconnect",
                           "accelerator_interconnect", "accelerator_interconnect_topology",
                           "accelerator_memory_configuration", "accelerator_on-chip_memories"})
    out.emplace_back(name, no_accelerator ? kNone : kUnknown);
  const bool guest =
      field(root / "proc/cpuinfo", "flags", ':').find("hypervisor") != std::string::npos;
  out.insert(out.end(), {{"cooling", kUnknown},
                         {"hw_notes", guest ? "a virtual machine" : kUnknown},
                         {"sw_notes", kUnknown},
                         {"host_network_card_count", std::to_string(cards.size())},
                         {"system_type_detail", kUnknown}});
  return out;
}

std::string turbo(const fs::path& root) {
  const fs::path cpu = root / "sys/devices/system/cpu";
  if (const std::string off = first_line(cpu / "intel_pstate/no_turbo"); !off.empty())
    return off == "0" ? "on" : "off";
  const std::string boost = first_line(cpu / "cpufreq/boost");
  return boost.empty() ? kUnknown : boost == "1" ? "on" : "off";
}

/// Cores' worth of time that the control group may use, or "none".
std::string core_limit(const fs::path& root) {
  const fs::path groups = root / "sys/fs/cgroup";
  std::istringstream line(first_line(groups / "cpu.max"));
  std::string quota_text, period_text;
  line >> quota_text >> period_text;
  auto quota = number(quota_text), period = number(period_text);
  if (quota_text.empty()) {
    quota = number_in(groups / "cpu/cpu.cfs_quota_us");
    period = number_in(groups / "cpu/cpu.cfs_period_us");
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return "none";
  return text(*quota / *period, " cores");
}

int cores_of_process() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

Facts further_facts(const fs::path& root, int usable_cores) {
  const fs::path cpuinfo = root / "proc/cpuinfo", mm = root / "sys/kernel/mm";
  const std::string flags = field(cpuinfo, "flags", ':'),
                    features = field(cpuinfo, "Features", ':');
  const size_t nodes = names_in(root / "sys/devices/system/node", "node").size();
  // Every flag decides which code some library takes; the list is long, its hash is not.
  const std::string all = flags + features;
  return {{"usable cores", std::to_string(usable_cores)},
          {"CPU flags", all.empty() ? kUnknown : sha256_hex(all).substr(0, 16)},
          {"virtual machine", all.empty()                                     ? kUnknown
                              : flags.find("hypervisor") != std::string::npos ? "yes"
                                                                              : "no"},
          {"microcode", or_unknown(joined(fields(cpuinfo, "microcode", ':'), ", "))},
          {"frequency governor", or_unknown(of_processors(root, "cpufreq/scaling_governor"))},
          {"frequency driver", or_unknown(of_processors(root, "cpufreq/scaling_driver"))},
          {"turbo", turbo(root)},
          {"SMT", or_unknown(first_line(root / "sys/devices/system/cpu/smt/control"))},
          {"NUMA nodes", nodes == 0 ? kUnknown : std::to_string(nodes)},
          {"transparent huge pages",
           or_unknown(chosen(first_line(mm / "transparent_hugepage/enabled")))},
          {"huge pages", or_unknown(field(root / "proc/meminfo", "HugePages_Total", ':'))},
          {"CPU limit", core_limit(root)},
          {"kernel", or_unknown(first_line(root / "proc/sys/kernel/osrelease"))}};
}

}  // namespace

std::string SystemDescription::of(std::string_view name) const {
  for (const Facts* facts : {&required, &further})
    for (const auto& [key, value] : *facts)
      if (key == name) return value;
  return kUnknown;
}

void SystemDescription::set(std::string_view name, std::string value) {
  for (auto& [key, old] : required)
    if (key == name) {
      old = or_unknown(std::move(value));
      return;
    }
  throw Error(ErrorKind::kInternal, text("no field '", name, "' in a system description"));
}

SystemDescription describe_system(const fs::path& root, int usable_cores) {
  const fs::path cpuinfo = root / "proc/cpuinfo";
  std::string cpu = joined(fields(cpuinfo, "model name", ':'), ", ");
  if (cpu.empty()) {
    // aarch64 has numbers in its place.
    const std::string implementer = field(cpuinfo, "CPU implementer", ':'),
                      part = field(cpuinfo, "CPU part", ':');
    if (!part.empty()) cpu = text("implementer ", implementer, ", part ", part);
  }
  SystemDescription out;
  out.required = required_fields(root, or_unknown(cpu));
  out.further = further_facts(root, usable_cores > 0 ? usable_cores : cores_of_process());
  return out;
}

Facts timing_facts(const SystemDescription& description) {
  Facts out;
  for (const char* name :
       {"host_processor_model_name", "host_processors_per_node", "host_processor_core_count",
        "host_processor_caches", "host_memory_capacity", "accelerators_per_node",
        "accelerator_model_name", "operating_system"})
    out.emplace_back(name, description.of(name));
  for (const auto& fact : description.further) out.push_back(fact);
  return out;
}

std::string timing_fingerprint(const SystemDescription& description) {
  Sha256 hash;
  for (const auto& [name, value] : timing_facts(description))
    hash.update(text(name, "=", value, "\n"));
  return hash.hex().substr(0, 16);
}

}  // namespace plumb
