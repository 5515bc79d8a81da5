#include "models/formats/gguf_writer.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/error.h"
#include "models/formats/bounds.h"

namespace plumb::models {
namespace {

constexpr uint64_t kAlignment = 32;  // what a file without general.alignment has
constexpr size_t kLongestName = 63;  // ggml's GGML_MAX_NAME less its NUL
constexpr size_t kMostDimensions = 4;

enum ValueType : uint32_t { kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9 };

template <typename Number>
std::string number_bytes(Number value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string counted(std::string_view text) {
  return number_bytes(uint64_t{text.size()}) + std::string(text);
}

GgufField array(uint32_t type, uint64_t count, std::string_view bytes) {
  return {kArray, number_bytes(type) + number_bytes(count) + std::string(bytes)};
}

template <typename Number>
GgufField numbers(uint32_t type, const std::vector<Number>& values) {
  return array(type, values.size(),
               {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)});
}

/// The number of `type` that was read as a wider one.
template <typename Value>
std::string narrowed(uint32_t type, Value value) {
  switch (type) {
    case 0:
    case 1:
      return number_bytes(static_cast<uint8_t>(value));
    case 2:
    case 3:
      return number_bytes(static_cast<uint16_t>(value));
    case kU32:
    case kI32:
      return number_bytes(static_cast<uint32_t>(value));
    default:
      return number_bytes(static_cast<uint64_t>(value));
  }
}

struct FieldBytes {
  uint32_t type;

  std::string operator()(uint64_t value) const { return narrowed(type, value); }
  std::string operator()(int64_t value) const { return narrowed(type, value); }
  std::string operator()(double value) const {
    return type == kF32 ? number_bytes(static_cast<float>(value)) : number_bytes(value);
  }
  std::string operator()(bool value) const { return std::string(1, value ? '\1' : '\0'); }
  std::string operator()(std::string_view value) const { return counted(value); }
  std::string operator()(const GgufArray& value) const {
    const auto bytes = value.bytes();
    return array(value.element_type(), value.size(),
                 {reinterpret_cast<const char*>(bytes.data()), bytes.size()})
        .bytes;
  }
};

Error refusal(const std::string& name, const char* why) {
  return Error(ErrorKind::kInvariant, text("GGUF: ", printable(name), " cannot be written: ", why));
}

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string tensor_info(const TensorSlot& tensor, uint64_t offset) {
  if (tensor.name.size() > kLongestName) throw refusal(tensor.name, "its name is too long");
  if (tensor.shape.empty() || tensor.shape.size() > kMostDimensions)
    throw refusal(tensor.name, "it must have 1 to 4 dimensions");
  std::string out = counted(tensor.name) + number_bytes(static_cast<uint32_t>(tensor.shape.size()));
  for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
    out += number_bytes(static_cast<uint64_t>(*size));
  return out + number_bytes(ggml_type(tensor.type)) + number_bytes(offset);
}

std::string header_of(const GgufFields& metadata, const std::vector<TensorSlot>& tensors) {
  std::string out = "GGUF" + number_bytes(uint32_t{3}) + number_bytes(uint64_t{tensors.size()}) +
                    number_bytes(uint64_t{metadata.size()});
  std::set<std::string_view> keys, names;
  for (const auto& [key, field] : metadata) {
    if (!keys.insert(key).second) throw refusal(key, "the key occurs twice");
    out += counted(key) + number_bytes(field.type) + field.bytes;
  }
  uint64_t offset = 0;
  for (const TensorSlot& tensor : tensors) {
    if (!names.insert(tensor.name).second) throw refusal(tensor.name, "the name occurs twice");
    if (tensor.size_bytes() == 0) throw refusal(tensor.name, "it has no values");
    out += tensor_info(tensor, offset);
    offset += aligned(tensor.size_bytes());
  }
  return out;
}

}  // namespace

GgufField GgufField::count(int64_t value) {
  if (value < 0 || value > int64_t{std::numeric_limits<uint32_t>::max()})
    throw Error(ErrorKind::kInvariant, text("GGUF: ", value, " is no u32"));
  return {kU32, number_bytes(static_cast<uint32_t>(value))};
}
GgufField GgufField::real(double value) { return {kF32, number_bytes(static_cast<float>(value))}; }
GgufField GgufField::flag(bool value) { return {kBool, FieldBytes{kBool}(value)}; }
GgufField GgufField::words(std::string_view value) { return {kString, counted(value)}; }
GgufField GgufField::list(const std::vector<int32_t>& values) { return numbers(kI32, values); }
GgufField GgufField::list(const std::vector<float>& values) { return numbers(kF32, values); }
GgufField GgufField::list(const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) bytes += counted(value);
  return array(kString, values.size(), bytes);
}

GgufField GgufField::of(const GgufHeader& header, const std::string& key) {
  const auto type = std::ranges::find(header.keys, key, &std::pair<std::string, uint32_t>::first);
  const auto value = header.metadata.find(key);
  if (type == header.keys.end() || value == header.metadata.end())
    throw Error(ErrorKind::kInvariant, text("no metadata key ", printable(key)));
  return {type->second, std::visit(FieldBytes{type->second}, value->second)};
}

GgufWriter::GgufWriter(const std::filesystem::path& path, const GgufFields& metadata,
                       const std::vector<TensorSlot>& tensors)
    : file_(path) {
  const std::string header = header_of(metadata, tensors);
  file_.write(header);
  written_ = header.size();
  pad();
  for (const TensorSlot& tensor : tensors) due_.push_back(tensor.size_bytes());
}

void GgufWriter::pad() {
  const std::string zeros(aligned(written_) - written_, '\0');
  file_.write(zeros);
  written_ += zeros.size();
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (tensor_ == due_.size())
      throw Error(ErrorKind::kInvariant,
                  text("GGUF: ", bytes.size(), " bytes were given where none are due"));
    const auto part =
        bytes.first(static_cast<size_t>(std::min<uint64_t>(bytes.size(), due_[tensor_])));
    file_.write(part);
    written_ += part.size();
    due_[tensor_] -= part.size();
    bytes = bytes.subspan(part.size());
    if (due_[tensor_] == 0) {
      pad();
      ++tensor_;
    }
  }
}

void GgufWriter::finish() {
  if (tensor_ != due_.size())
    throw Error(ErrorKind::kInvariant,
                text("GGUF: ", due_[tensor_], " bytes of tensor ", tensor_, " were not given"));
  file_.finish();
}

}  // namespace plumb::models
