#include "models/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "base/error.h"
#include "models/formats/bounds.h"
#include "models/formats/json_events.h"

// The format: https://github.com/huggingface/safetensors (README, safetensors/src/tensor.rs)
//
//     N u64 | N bytes of JSON {name: {dtype, shape, data_offsets [begin, end)}, "__metadata__":
//     {text: text}} | payload
//
// The payload is covered without holes from its first byte to the file's last. Leading white space
// in the JSON is accepted as the reference reader accepts it.

namespace plumb::models {
namespace {

constexpr uint64_t kLongestHeader = 100'000'000;  // the reference reader's limit
constexpr size_t kLongestName = 4096;
constexpr size_t kMostMetadataBytes = size_t{8} << 20;
constexpr size_t kMostMetadataPairs = 65536;
constexpr size_t kMostDimensions = 64;  // at::Tensor's limit

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

StoredType stored_type(std::string_view dtype, std::string_view tensor) {
  if (dtype == "F32") return StoredType::kF32;
  if (dtype == "F16") return StoredType::kF16;
  if (dtype == "BF16") return StoredType::kBf16;
  throw refusal("tensor ", printable(tensor), " has dtype ", printable(dtype),
                "; Plumb reads F32, F16 and BF16: convert the model");
}

// Collects the tensors; what they say of each other is checked after.
class HeaderReader : public JsonEvents {
 public:
  SafetensorsHeader header;

 private:
  static constexpr size_t kNone = 0, kShape = 1, kOffsets = 2;

  bool in_metadata() const { return path().front() == "__metadata__"; }

  void on_object_begin() override {
    if (path().empty()) return;
    if (array_depth() > 0 || path().size() > 1)
      throw damaged("the header nests an object inside ", printable(path().front()));
    if (!names_.insert(path().front()).second)
      throw damaged("the header names ", printable(path().front()), " twice");
    if (in_metadata()) return;
    if (header.tensors.size() == kMostTensors)
      throw damaged("the header has more than ", kMostTensors, " tensors");
    tensor_ = {};
    tensor_.name = path().front();
    seen_dtype_ = seen_shape_ = false;
    offsets_.clear();
    seen_offsets_ = false;
    if (tensor_.name.empty() || tensor_.name.size() > kLongestName)
      throw damaged("a tensor has a name of ", tensor_.name.size(), " bytes; 1 to ", kLongestName,
                    " are allowed");
  }

  void on_array_begin() override {
    if (path().size() != 2 || array_depth() != 1 || in_metadata())
      throw damaged("the header has an array at ", where());
    if (path()[1] == "shape") return mark(seen_shape_);
    if (path()[1] == "data_offsets") return mark(seen_offsets_);
    throw damaged("the header has an array at ", where());
  }

  void on_scalar(const JsonScalar& value) override {
    if (path().size() < 2)
      throw damaged("the header has a plain value at ", where(), "; an object is needed");
    if (in_metadata()) return metadata(value);
    const std::string& field = path()[1];
    if (field == "shape" && array_depth() == 1) {
      if (tensor_.shape.size() == kMostDimensions)
        throw damaged("tensor ", printable(tensor_.name), " has more than ", kMostDimensions,
                      " dimensions");
      tensor_.shape.push_back(whole_number(value));
    } else if (field == "data_offsets" && array_depth() == 1) {
      if (offsets_.size() == 2)
        throw damaged("tensor ", printable(tensor_.name), " has more than 2 data_offsets");
      offsets_.push_back(static_cast<uint64_t>(whole_number(value)));
    } else if (field == "dtype" && value.kind == JsonScalar::Kind::kString) {
      mark(seen_dtype_);
      tensor_.type = stored_type(value.text, tensor_.name);
    } else {
      throw damaged("the header has an unknown or mistyped field at ", where(),
                    "; dtype, shape and data_offsets are known");
    }
  }

  void on_object_end() override {
    if (path().empty() || in_metadata()) return;
    if (!seen_dtype_ || !seen_shape_ || offsets_.size() != 2)
      throw damaged("tensor ", printable(tensor_.name), " lacks ",
                    !seen_dtype_   ? "its dtype"
                    : !seen_shape_ ? "its shape"
                                   : "its two data_offsets");
    tensor_.begin = offsets_[0];
    tensor_.end = offsets_[1];
    header.tensors.push_back(tensor_);
  }

  void metadata(const JsonScalar& value) {
    if (value.kind != JsonScalar::Kind::kString)
      throw damaged("the header's __metadata__ has a value that is no text at ", where());
    if (!header.metadata.emplace(path()[1], value.text).second)
      throw damaged("the header's __metadata__ names ", printable(path()[1]), " twice");
    metadata_bytes_ += path()[1].size() + value.text.size();
    if (metadata_bytes_ > kMostMetadataBytes || header.metadata.size() > kMostMetadataPairs)
      throw damaged("the header's __metadata__ has more than ", kMostMetadataBytes, " bytes or ",
                    kMostMetadataPairs, " pairs");
  }

  int64_t whole_number(const JsonScalar& value) const {
    constexpr auto kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (value.kind != JsonScalar::Kind::kUnsigned || value.number > kLargest)
      throw damaged("the header has at ", where(), " what is no whole number below 2^63");
    return static_cast<int64_t>(value.number);
  }

  void mark(bool& seen) const {
    if (seen) throw damaged("the header gives ", where(), " twice");
    seen = true;
  }

  std::string where() const {
    std::string joined;
    for (const std::string& key : path()) joined += (joined.empty() ? "" : "/") + key;
    return printable(joined);
  }

  TensorEntry tensor_;
  std::vector<uint64_t> offsets_;
  bool seen_dtype_ = false, seen_shape_ = false, seen_offsets_ = false;
  std::set<std::string, std::less<>> names_;
  size_t metadata_bytes_ = 0;
};

// Offsets in the file, and the payload covered exactly.
void place(TensorEntries& tensors, uint64_t payload_begin, uint64_t payload_bytes) {
  std::vector<TensorEntry*> order;
  for (TensorEntry& entry : tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t covered = 0;
  for (TensorEntry* entry : order) {
    if (entry->begin > entry->end || entry->end > payload_bytes)
      throw refusal("tensor ", printable(entry->name), " spans bytes ", entry->begin, "..",
                    entry->end, " but the payload has ", payload_bytes,
                    "; the download is probably cut short: fetch it again");
    if (entry->begin != covered)
      throw damaged("tensor ", printable(entry->name), " begins at byte ", entry->begin, " where ",
                    covered, " is due: the payload has ",
                    entry->begin > covered ? "a hole" : "an overlap");
    const uint64_t needed = stored_bytes(entry->name, entry->shape, entry->type);
    if (entry->size_bytes() != needed)
      throw damaged("tensor ", printable(entry->name), " holds ", entry->size_bytes(),
                    " bytes, its shape needs ", needed);
    covered = entry->end;
    entry->begin += payload_begin;
    entry->end += payload_begin;
  }
  if (covered != payload_bytes)
    throw damaged("the payload has ", payload_bytes - covered, " bytes after the last tensor");
}

SafetensorsHeader parse(ByteCursor cursor) {
  const auto length = cursor.number<uint64_t>("the safetensors header length");
  if (length > kLongestHeader)
    throw damaged("the safetensors header claims ", length, " bytes; at most ", kLongestHeader,
                  " are allowed, so this is no safetensors file or a damaged one");
  const auto json = cursor.take(length, "the safetensors header");
  HeaderReader reader;
  reader.read({reinterpret_cast<const char*>(json.data()), json.size()}, 3);
  place(reader.header.tensors, cursor.position(), cursor.remaining());
  return std::move(reader.header);
}

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes) {
  return parse(ByteCursor(bytes));
}
SafetensorsHeader parse_safetensors(const ModelFile& file) { return parse(ByteCursor(file)); }

}  // namespace plumb::models
