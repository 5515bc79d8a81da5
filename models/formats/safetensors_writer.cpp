#include "models/formats/safetensors_writer.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/formats/safetensors.h"

namespace plumb::models {
namespace {

namespace fs = std::filesystem;

uint64_t width_of(StoredType type) { return static_cast<uint64_t>(block_layout(type).bytes); }

struct Header {
  std::string bytes;  // length and JSON, padded with spaces to 8 bytes
  uint64_t payload_bytes = 0;
};

Header header_of(const std::vector<TensorSlot>& tensors,
                 const std::map<std::string, std::string>& metadata) {
  Header header;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  auto& fields = json.get_ref<nlohmann::ordered_json::object_t&>();
  if (!metadata.empty()) fields.emplace_back("__metadata__", metadata);
  std::set<std::string_view> names{"__metadata__"};
  for (const TensorSlot& tensor : tensors) {
    const auto refuse = [&](const char* why) {
      return Error(ErrorKind::kInvariant,
                   text("tensor ", printable(tensor.name), " cannot be written: ", why));
    };
    if (block_layout(tensor.type).values != 1) throw refuse("its type is no safetensors dtype");
    if (!names.insert(tensor.name).second) throw refuse("its name occurs twice");
    if (header.payload_bytes % width_of(tensor.type) != 0) throw refuse("it is not aligned");
    const uint64_t end = header.payload_bytes + tensor.size_bytes();
    fields.emplace_back(tensor.name,
                        nlohmann::ordered_json{{"dtype", stored_type_name(tensor.type)},
                                               {"shape", tensor.shape},
                                               {"data_offsets", {header.payload_bytes, end}}});
    header.payload_bytes = end;
  }
  std::string text = json.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  header.bytes.assign(reinterpret_cast<const char*>(&length), sizeof length);
  header.bytes += text;
  return header;
}

}  // namespace

bool wider(const TensorSlot& a, const TensorSlot& b) { return width_of(a.type) > width_of(b.type); }

SafetensorsWriter::SafetensorsWriter(const fs::path& path, const std::vector<TensorSlot>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path) {
  const Header header = header_of(tensors, metadata);
  file_.write(header.bytes);
  due_ = header.payload_bytes;
}

void SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > due_)
    throw Error(ErrorKind::kInvariant,
                text("safetensors: ", bytes.size(), " bytes were given where ", due_, " are due"));
  file_.write(bytes);
  due_ -= bytes.size();
}

void SafetensorsWriter::finish() {
  if (due_ != 0)
    throw Error(ErrorKind::kInvariant, text("safetensors: ", due_, " bytes were not given"));
  file_.finish();
}

void write_safetensors(const fs::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSlot> slots;
  for (const TensorToWrite& tensor : tensors)
    slots.push_back({tensor.name, tensor.type, tensor.shape});
  static std::atomic<uint64_t> counter{0};
  const fs::path temporary =
      path.parent_path() /
      text('.', path.filename().string(), '.', ::getpid(), '.', counter.fetch_add(1), ".tmp");
  SafetensorsWriter writer(temporary, slots, metadata);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].bytes.size() != slots[i].size_bytes())
      throw Error(ErrorKind::kInvariant,
                  text("tensor ", printable(tensors[i].name), " has ", tensors[i].bytes.size(),
                       " bytes, its shape needs ", slots[i].size_bytes()));
    writer.write(tensors[i].bytes);
  }
  writer.finish();
  std::error_code failed;
  fs::rename(temporary, path, failed);
  if (failed) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw Error(ErrorKind::kResource,
                text("cannot put '", path.string(), "' into place: ", failed.message()));
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

}  // namespace plumb::models
