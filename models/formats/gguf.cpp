#include "models/formats/gguf.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "base/error.h"
#include "models/formats/bounds.h"

// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
//     magic "GGUF" | version u32 | tensor count u64 | metadata count u64
//     metadata:  key (u64 length, bytes) | type u32 | value
//     tensors:   name | dimensions u32 | that many u64, innermost first | type u32 | offset u64
//     padding to general.alignment (32) | tensor data, every offset a multiple of the alignment

namespace plumb::models {
namespace {

constexpr uint64_t kMostArrayElements = uint64_t{1} << 24;  // the largest vocabulary
constexpr uint64_t kLongestString = uint64_t{1} << 26;
constexpr uint64_t kLongestHeader = uint64_t{1} << 30;
constexpr uint64_t kMostMetadata = 65536;
constexpr uint64_t kLongestKey = 65535;  // the format's own limit
constexpr uint64_t kLongestTensorName = 255;
constexpr uint32_t kMostDimensions = 4;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kLargestAlignment = uint64_t{1} << 20;

// Of the value types 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string (its length), 9
// array, 10 u64, 11 i64, 12 f64.
constexpr std::array<uint64_t, 13> kElementBytes{1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8};

template <typename Number, typename Take>
void for_each(std::span<const std::byte> bytes, Take&& take) {
  for (ByteCursor cursor(bytes); cursor.remaining() > 0;) take(cursor.number<Number>("a number"));
}

struct TensorTypeRow {
  uint32_t id;
  std::string_view name;
  std::optional<StoredType> stored;  // none: ggml knows the type, Plumb does not read it
};

constexpr std::array<TensorTypeRow, 34> kTensorTypes{{
    {0, "F32", StoredType::kF32},
    {1, "F16", StoredType::kF16},
    {2, "Q4_0", StoredType::kQ4_0},
    {3, "Q4_1", StoredType::kQ4_1},
    {6, "Q5_0", StoredType::kQ5_0},
    {7, "Q5_1", StoredType::kQ5_1},
    {8, "Q8_0", StoredType::kQ8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", {}},
    {11, "Q3_K", {}},
    {12, "Q4_K", StoredType::kQ4_K},
    {13, "Q5_K", StoredType::kQ5_K},
    {14, "Q6_K", StoredType::kQ6_K},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},
    {17, "IQ2_XS", {}},
    {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},
    {20, "IQ4_NL", {}},
    {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},
    {23, "IQ4_XS", {}},
    {24, "I8", {}},
    {25, "I16", {}},
    {26, "I32", {}},
    {27, "I64", {}},
    {28, "F64", {}},
    {29, "IQ1_M", {}},
    {30, "BF16", StoredType::kBf16},
    {34, "TQ1_0", {}},
    {35, "TQ2_0", {}},
    {39, "MXFP4", {}},
    {40, "NVFP4", {}},
    {41, "Q1_0", {}},
}};

template <typename... Parts>
Error refusal(const Parts&... parts) {
  return Error(ErrorKind::kInput, text(parts...));
}

class Parser {
 public:
  explicit Parser(ByteCursor cursor) : cursor_(std::move(cursor)) {}

  GgufHeader parse() {
    read_preamble();
    for (uint64_t i = 0; i < metadata_count_; ++i) read_metadata();
    read_alignment();
    for (uint64_t i = 0; i < tensor_count_; ++i) read_tensor();
    place_tensors();
    header_.storage = cursor_.storage();
    return std::move(header_);
  }

 private:
  void read_preamble() {
    const auto magic = cursor_.take(4, "the GGUF magic");
    if (std::memcmp(magic.data(), "GGUF", 4) != 0)
      throw refusal(
          "the file does not start with 'GGUF', so it is no GGUF file; name a GGUF "
          "file, or a folder with config.json and safetensors");
    header_.version = cursor_.number<uint32_t>("the GGUF version");
    if (header_.version == 0x02000000 || header_.version == 0x03000000)
      throw refusal("the GGUF file is big-endian; Plumb reads little-endian ones: convert it");
    if (header_.version != 2 && header_.version != 3)
      throw refusal("GGUF version ", header_.version,
                    " is not supported; versions 2 and 3 are: convert it");
    tensor_count_ = cursor_.number<uint64_t>("the tensor count");
    metadata_count_ = cursor_.number<uint64_t>("the metadata count");
    // The least that one metadata entry (key length, type, value) and one tensor can take.
    require_count("metadata entries", metadata_count_, 8 + 4 + 1, kMostMetadata);
    require_count("tensors", tensor_count_, 8 + 4 + 4 + 8, kMostTensors);
  }

  void require_count(std::string_view what, uint64_t count, uint64_t least_bytes,
                     uint64_t most) const {
    if (count > cursor_.remaining() / least_bytes)
      throw refusal("the header announces ", count, " ", what, " but only ", cursor_.remaining(),
                    " bytes remain; the file is cut short or damaged: fetch it again");
    if (count > most)
      throw damaged("the header announces ", count, " ", what, "; at most ", most, " are allowed");
  }

  std::string_view string(std::string_view what) {
    const auto length = cursor_.number<uint64_t>(what);
    if (length > kLongestString && length <= cursor_.remaining())
      throw damaged(what, " has ", length, " bytes; at most ", kLongestString, " are allowed");
    const auto bytes = cursor_.take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void read_metadata() {
    const std::string_view key = string("a metadata key");
    if (key.empty() || key.size() > kLongestKey)
      throw damaged("a metadata key has ", key.size(), " bytes; 1 to ", kLongestKey,
                    " are allowed");
    const auto type = cursor_.number<uint32_t>("a metadata type");
    try {
      GgufValue value = type == 9 ? array() : scalar(type);
      if (!header_.metadata.emplace(std::string(key), value).second)
        throw damaged("the key occurs twice");
      header_.keys.emplace_back(key, type);
      if (cursor_.position() > kLongestHeader)
        throw damaged("the metadata is longer than ", kLongestHeader, " bytes");
    } catch (const Error& error) {
      throw error.within(text("metadata key ", printable(key)));
    }
  }

  GgufValue scalar(uint32_t type) {
    switch (type) {
      case 0:
        return uint64_t{cursor_.number<uint8_t>("a number")};
      case 1:
        return int64_t{cursor_.number<int8_t>("a number")};
      case 2:
        return uint64_t{cursor_.number<uint16_t>("a number")};
      case 3:
        return int64_t{cursor_.number<int16_t>("a number")};
      case 4:
        return uint64_t{cursor_.number<uint32_t>("a number")};
      case 5:
        return int64_t{cursor_.number<int32_t>("a number")};
      case 6:
        return double{cursor_.number<float>("a number")};
      case 7:
        return boolean();
      case 8:
        return string("a string");
      case 10:
        return cursor_.number<uint64_t>("a number");
      case 11:
        return cursor_.number<int64_t>("a number");
      case 12:
        return cursor_.number<double>("a number");
      default:
        throw damaged("the unknown value type ", type);
    }
  }

  bool boolean() {
    const auto byte = cursor_.number<uint8_t>("a number");
    require_boolean(byte);
    return byte == 1;
  }

  static void require_boolean(int byte) {
    if (byte > 1) throw damaged("a boolean of ", byte, "; 0 or 1 is needed");
  }

  GgufValue array() {
    const auto type = cursor_.number<uint32_t>("an array's type");
    const auto count = cursor_.number<uint64_t>("an array's length");
    if (type >= kElementBytes.size() || type == 9)
      throw damaged("an array of type ", type,
                    "; arrays of numbers, booleans and strings are supported");
    if (count > kMostArrayElements || count > cursor_.remaining() / kElementBytes[type])
      throw damaged("an array announces ", count, " elements, but only ", cursor_.remaining(),
                    " bytes remain and ", kMostArrayElements, " is the limit");
    const auto bytes =
        cursor_.take(type == 8 ? texts_length(count) : count * kElementBytes[type], "an array");
    if (type == 7)
      for (const std::byte byte : bytes) require_boolean(std::to_integer<int>(byte));
    return GgufArray(type, count, bytes);
  }

  // Read ahead and left for `take`, so that the array is in one piece.
  uint64_t texts_length(uint64_t count) {
    ByteCursor ahead = cursor_.ahead();
    for (uint64_t i = 0; i < count; ++i) ahead.skip(ahead.number<uint64_t>("a string"), "a string");
    return ahead.position() - cursor_.position();
  }

  void read_alignment() {
    const auto found = header_.metadata.find("general.alignment");
    if (found == header_.metadata.end()) return;
    const auto* value = std::get_if<uint64_t>(&found->second);
    if (!value || *value == 0 || (*value & (*value - 1)) != 0 || *value > kLargestAlignment)
      throw damaged("general.alignment must be a power of two of at most ", kLargestAlignment,
                    " stored unsigned", value ? text(", not ", *value) : std::string());
    alignment_ = *value;
  }

  void read_tensor() {
    TensorEntry entry;
    entry.name = std::string(string("a tensor's name"));
    if (entry.name.empty() || entry.name.size() > kLongestTensorName)
      throw damaged("tensor ", printable(entry.name), " has a name of ", entry.name.size(),
                    " bytes; 1 to ", kLongestTensorName, " are allowed");
    if (!names_.insert(entry.name).second)
      throw damaged("tensor ", printable(entry.name), " occurs twice");
    read_shape(entry);
    entry.type = stored_type(cursor_.number<uint32_t>("a tensor's type"), entry.name);
    entry.begin = cursor_.number<uint64_t>("a tensor's offset");
    entry.end = stored_bytes(entry.name, entry.shape, entry.type);  // a length until place_tensors
    header_.tensors.push_back(std::move(entry));
  }

  void read_shape(TensorEntry& entry) {
    const auto dimensions = cursor_.number<uint32_t>("a tensor's number of dimensions");
    if (dimensions > kMostDimensions)
      throw damaged("tensor ", printable(entry.name), " has ", dimensions, " dimensions; at most ",
                    kMostDimensions, " are allowed");
    for (uint32_t d = 0; d < dimensions; ++d) {
      const auto size = cursor_.number<uint64_t>("a tensor's dimension");
      if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        throw damaged("tensor ", printable(entry.name), " has a dimension of ", size);
      entry.shape.insert(entry.shape.begin(), static_cast<int64_t>(size));
    }
  }

  static StoredType stored_type(uint32_t id, std::string_view name) {
    const auto row = std::find_if(kTensorTypes.begin(), kTensorTypes.end(),
                                  [&](const TensorTypeRow& r) { return r.id == id; });
    if (row != kTensorTypes.end() && row->stored) return *row->stored;
    const std::string found =
        row == kTensorTypes.end() ? text("the unknown type ", id) : text("type ", row->name);
    throw refusal("tensor ", printable(name), " has ", found,
                  "; Plumb reads F32, F16, BF16, Q8_0, Q4_0, "
                  "Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K: use a file of one of these");
  }

  // From offsets into the data section to offsets into the file, and no two tensors on the same
  // bytes.
  void place_tensors() {
    if (header_.tensors.empty()) return;
    const auto data = aligned_up(cursor_.position(), alignment_);
    if (!data || *data > cursor_.size())
      throw damaged("the tensor data should begin at a multiple of ", alignment_, " after byte ",
                    cursor_.position(), " but the file has ", cursor_.size(), " bytes");
    const uint64_t available = cursor_.size() - *data;
    for (TensorEntry& entry : header_.tensors) {
      const uint64_t length = entry.end;
      if (entry.begin % alignment_ != 0)
        throw damaged("tensor ", printable(entry.name), " begins at offset ", entry.begin,
                      ", which is no multiple of the alignment ", alignment_);
      if (entry.begin > available || length > available - entry.begin)
        throw refusal("tensor ", printable(entry.name), " needs ", length, " bytes at offset ",
                      entry.begin, " but the data section has ", available,
                      "; the download is probably cut short: fetch it again");
      entry.begin += *data;
      entry.end = entry.begin + length;
    }
    require_no_overlap();
  }

  void require_no_overlap() const {
    std::vector<const TensorEntry*> order;
    for (const TensorEntry& entry : header_.tensors) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
      return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
    });
    for (size_t i = 1; i < order.size(); ++i)
      if (order[i]->begin < order[i - 1]->end)
        throw damaged("tensors ", printable(order[i - 1]->name), " and ", printable(order[i]->name),
                      " share bytes of the file");
  }

  ByteCursor cursor_;
  GgufHeader header_;
  uint64_t tensor_count_ = 0;
  uint64_t metadata_count_ = 0;
  uint64_t alignment_ = kDefaultAlignment;
  std::set<std::string, std::less<>> names_;
};

}  // namespace

uint32_t ggml_type(StoredType type) {
  for (const TensorTypeRow& row : kTensorTypes)
    if (row.stored == type) return row.id;
  throw Error(ErrorKind::kInternal, "a stored type without a number");
}

bool GgufArray::holds_integers() const { return type_ <= 5 || type_ == 10 || type_ == 11; }
bool GgufArray::holds_reals() const { return type_ == 6 || type_ == 12; }
bool GgufArray::holds_booleans() const { return type_ == 7; }
bool GgufArray::holds_texts() const { return type_ == 8; }

void GgufArray::integers(const std::function<void(int64_t)>& take) const {
  const auto each = [&](auto value) { take(static_cast<int64_t>(value)); };
  switch (type_) {
    case 0:
      return for_each<uint8_t>(bytes_, each);
    case 1:
      return for_each<int8_t>(bytes_, each);
    case 2:
      return for_each<uint16_t>(bytes_, each);
    case 3:
      return for_each<int16_t>(bytes_, each);
    case 4:
      return for_each<uint32_t>(bytes_, each);
    case 5:
      return for_each<int32_t>(bytes_, each);
    case 10:
      return for_each<uint64_t>(bytes_, each);
    case 11:
      return for_each<int64_t>(bytes_, each);
    default:
      throw Error(ErrorKind::kInvariant, "an array of other values read as integers");
  }
}

void GgufArray::reals(const std::function<void(double)>& take) const {
  if (!holds_reals()) throw Error(ErrorKind::kInvariant, "an array of other values read as reals");
  return type_ == 6 ? for_each<float>(bytes_, take) : for_each<double>(bytes_, take);
}

void GgufArray::booleans(const std::function<void(bool)>& take) const {
  if (!holds_booleans())
    throw Error(ErrorKind::kInvariant, "an array of other values read as booleans");
  for (const std::byte byte : bytes_) take(byte != std::byte{0});
}

void GgufArray::texts(const std::function<void(std::string_view)>& take) const {
  if (!holds_texts()) throw Error(ErrorKind::kInvariant, "an array of other values read as text");
  for (ByteCursor cursor(bytes_); cursor.remaining() > 0;) {
    const auto text = cursor.take(cursor.number<uint64_t>("a string"), "a string");
    take({reinterpret_cast<const char*>(text.data()), text.size()});
  }
}

GgufHeader parse_gguf(std::span<const std::byte> bytes) {
  return Parser(ByteCursor(bytes)).parse();
}
GgufHeader parse_gguf(const ModelFile& file) { return Parser(ByteCursor(file)).parse(); }

}  // namespace plumb::models
