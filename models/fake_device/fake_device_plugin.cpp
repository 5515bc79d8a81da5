// A plug-in for a device that is not there, for tests: ATen's privateuseone. Its memory cannot be touched by the host,
// its operations are the CPU's on that memory, and every one refuses operands of two devices. What runs on it moves what
// it must between host and device, and nothing else; see memory.h and order.h for what else is caught.

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <utility>

#include "models/device.h"
#include "models/fake_device/collectives.h"
#include "models/fake_device/control.h"
#include "models/fake_device/memory.h"
#include "models/fake_device/order.h"
#include "models/kernels/emulated_kernels.h"

namespace plumb::models {
namespace {

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;

FakeMemory& memory() {
  static auto* const instance = new FakeMemory;  // outlives every tensor
  return *instance;
}
FakeOrder& order() {
  static auto* const instance = new FakeOrder;
  return *instance;
}
thread_local int64_t current_stream = 0;

// Memory --------------------------------------------------------------------------------------------------------------

struct Allocation {
  void* pointer;
  int64_t stream;  ///< that it was made for
};

void release_allocation(void* context) {
  auto* allocation = static_cast<Allocation*>(context);
  order().released(allocation->pointer, allocation->stream);
  memory().release(allocation->pointer);
  delete allocation;
}

class FakeAllocator final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* pointer = memory().allocate(bytes);
    if (pointer == nullptr)
      TORCH_CHECK_WITH(OutOfMemoryError, false, "the fake device is out of memory: ", bytes,
                       " bytes beside ", memory().used_bytes);
    return {pointer, new Allocation{pointer, current_stream}, release_allocation,
            c10::Device(kType, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return release_allocation; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(memory().open(to), memory().open(from), bytes);
  }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override { memory().kept_bytes = memory().used_bytes; }
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    const auto of = [](uint64_t now, uint64_t peak) {
      c10::CachingAllocator::Stat stat;
      stat.current = static_cast<int64_t>(now), stat.peak = static_cast<int64_t>(peak);
      return stat;
    };
    c10::CachingDeviceAllocator::DeviceStats out;
    out.allocated_bytes[kAll] = of(memory().used_bytes, memory().peak_bytes);
    out.reserved_bytes[kAll] = of(memory().kept_bytes, memory().kept_bytes);
    return out;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override { memory().peak_bytes = memory().used_bytes; }
};

FakeAllocator& allocator() {
  static auto* const instance = new FakeAllocator;
  return *instance;
}

at::Tensor fake_empty(c10::SymIntArrayRef size, std::optional<at::ScalarType> type,
                      std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                      std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &allocator(),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(type), format);
}

at::Tensor fake_empty_strided(c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                              std::optional<at::ScalarType> type, std::optional<at::Layout>,
                              std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(
      C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), &allocator(),
      c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::dtype_or_default(type));
}

/// The same values as a tensor of the CPU's; keeps the device's one alive.
at::Tensor opened(const at::Tensor& tensor) {
  return at::from_blob(
      memory().open(tensor.unsafeGetTensorImpl()->data()), tensor.sizes(), tensor.strides(),
      [tensor](void*) {}, tensor.options().device(at::kCPU));
}

at::Tensor to_device(const at::Tensor& host) {
  const at::Tensor out =
      at::empty_strided(host.sizes(), host.strides(), host.options().device(c10::Device(kType, 0)));
  opened(out).copy_(host);
  return out;
}

// Operations ----------------------------------------------------------------------------------------------------------

at::Tensor fake_copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  order().begin(current_stream, from.is_cpu() ? "copy in" : to.is_cpu() ? "copy out" : "copy");
  if (!from.is_cpu()) order().access(from.storage().data(), current_stream, false);
  if (!to.is_cpu()) order().access(to.storage().data(), current_stream, true);
  at::Tensor target = to.is_cpu() ? to : opened(to);
  target.copy_(from.is_cpu() ? from : opened(from));
  if (!non_blocking || to.is_cpu()) order().wait_on_host(current_stream);
  return to;
}

/// Whether argument `i` of an operation is written.
bool writes(const c10::FunctionSchema& schema, size_t i) {
  const auto* alias = schema.arguments()[i].alias_info();
  return alias != nullptr && alias->isWrite();
}

at::Tensor checked_operand(const at::Tensor& tensor, const std::string& name, bool write) {
  if (!tensor.defined()) return tensor;
  if (tensor.is_cpu()) {
    TORCH_CHECK(tensor.dim() == 0, name, ": a tensor of the CPU, ", tensor.sizes(),
                ", among those of the fake device");
    return tensor;
  }
  order().access(tensor.storage().data(), current_stream, write);
  // An operation may give an empty result its size; it gets memory then.
  if (write && tensor.numel() == 0) return at::empty({0}, tensor.options().device(at::kCPU));
  return opened(tensor);
}

c10::IValue checked_argument(const c10::IValue& value, const std::string& name, bool write) {
  if (value.isTensor()) return checked_operand(value.toTensor(), name, write);
  if (value.isTensorList()) {
    c10::List<at::Tensor> out;
    for (const at::Tensor& tensor : value.toTensorVector())
      out.push_back(checked_operand(tensor, name, write));
    return out;
  }
  if (value.isDevice()) return c10::Device(at::kCPU);
  return value;
}

/// Every operation without a kernel of its own: the CPU's, on the opened memory.
void on_the_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::FunctionSchema& schema = op.schema();
  const std::string& name = schema.name();
  const size_t count = schema.arguments().size();
  const std::vector<c10::IValue> given(stack->end() - static_cast<std::ptrdiff_t>(count),
                                       stack->end());
  order().begin(current_stream, name.find("mm") != std::string::npos ? "product" : "");
  for (size_t i = 0; i < count; ++i)
    (*stack)[stack->size() - count + i] = checked_argument(given[i], name, writes(schema, i));
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  if (name == "aten::_local_scalar_dense") order().wait_on_host(current_stream);

  const size_t results = schema.returns().size();
  for (size_t r = 0; r < results; ++r) {
    c10::IValue& result = (*stack)[stack->size() - results + r];
    const auto* alias = schema.returns()[r].alias_info();
    if (alias == nullptr) {
      if (result.isTensor() && result.toTensor().defined()) result = to_device(result.toTensor());
      continue;
    }
    TORCH_CHECK(alias->isWrite(), name, ": the fake device does not know this view");
    for (size_t i = 0; i < count; ++i)
      if (const auto* of = schema.arguments()[i].alias_info();
          of != nullptr && of->beforeSets() == alias->beforeSets()) {
        const at::Tensor& target = given[i].toTensor();
        if (target.numel() == 0 && result.toTensor().numel() > 0)
          target.unsafeGetTensorImpl()->shallow_copy_from(
              to_device(result.toTensor()).getIntrusivePtr());
        result = given[i];
        break;
      }
  }
}

// Streams and events --------------------------------------------------------------------------------------------------

struct FakeGuard final : public c10::impl::DeviceGuardImplInterface {
  using Stream = c10::Stream;
  static Stream stream_of(int64_t id) { return Stream(Stream::UNSAFE, c10::Device(kType, 0), id); }
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return {kType, 0}; }
  c10::Device getDevice() const override { return {kType, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  Stream getStream(c10::Device) const override { return stream_of(current_stream); }
  Stream getDefaultStream(c10::Device) const override { return stream_of(0); }
  Stream getNewStream(c10::Device, int) const override {
    static std::atomic<int64_t> last = 0;
    return stream_of(++last);
  }
  Stream getStreamFromGlobalPool(c10::Device device, bool) const override {
    return getNewStream(device, 0);
  }
  Stream exchangeStream(Stream stream) const override {
    return stream_of(std::exchange(current_stream, stream.id()));
  }
  void record(void** event, const Stream& stream, c10::DeviceIndex, c10::EventFlag) const override {
    if (*event == nullptr) *event = new FakeOrder::Event;
    order().record(*static_cast<FakeOrder::Event*>(*event), stream.id());
  }
  void block(void* event, const Stream& stream) const override {
    if (event != nullptr) order().wait(*static_cast<FakeOrder::Event*>(event), stream.id());
  }
  void* getStreamNativeHandle(Stream stream) const override {
    return reinterpret_cast<void*>(stream.id());
  }
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void* event) const override {
    if (event != nullptr) order().wait_on_host(*static_cast<FakeOrder::Event*>(event));
  }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override {
    delete static_cast<FakeOrder::Event*>(event);
  }
  bool queryStream(const Stream&) const override { return true; }
  void synchronizeStream(const Stream& stream) const override { order().wait_on_host(stream.id()); }
};

struct FakeHooks final : public at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::Allocator* getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, FakeGuard)

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
}
TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", fake_empty);
  library.impl("empty_strided", fake_empty_strided);
  library.impl("_copy_from", fake_copy_from);
  library.impl("as_strided", at::native::as_strided_tensorimpl);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
}

// The table -----------------------------------------------------------------------------------------------------------

const char* device_count(int* count) {
  *count = memory().usable() ? 1 : 0;
  return memory().usable() ? nullptr : "its memory cannot be mapped";
}

const char* device_facts(int, DeviceFacts* facts) {
  *facts = {};
  std::snprintf(facts->name, sizeof facts->name, "Fake 1");
  std::snprintf(facts->driver, sizeof facts->driver, "none");
  facts->total_bytes = memory().limit_bytes;
  facts->free_bytes = memory().limit_bytes - memory().used_bytes;
  std::snprintf(facts->pci_bus_id, sizeof facts->pci_bus_id, "%s", "face:01:00.0");
  return nullptr;
}

// Kernels: the host's blocks of threads (models/kernels/emulated_kernels.h) on the opened memory. -----------------------

/// Makes a struct's pointers those that the device uses.
template <typename... Pointers>
void open_all(Pointers*&... pointers) {
  const auto open = [](auto*& pointer) {
    using Pointer = std::remove_reference_t<decltype(pointer)>;
    if (memory().holds(pointer))
      pointer = static_cast<Pointer>(
          memory().open(const_cast<const void*>(static_cast<const void*>(pointer))));
  };
  (open(pointers), ...);
}

const char* expand(const Nf4Matrix* weight, void* out, Element type, void* stream) {
  Nf4Matrix w = *weight;
  open_all(w.codes, w.absmax, w.scale_codes, w.scales, w.map, out);
  return emulated::nf4_expand(&w, out, type, stream);
}
const char* lora_product(const LoraProduct* product, void* stream) {
  LoraProduct p = *product;
  open_all(p.x, p.a, p.b, p.low, p.y);
  return emulated::lora_product(&p, stream);
}
const char* rms_norm(const RmsNorm* norm, void* stream) {
  RmsNorm n = *norm;
  open_all(n.x, n.gain, n.y);
  return emulated::rms_norm(&n, stream);
}
const char* rms_norm_gradient(const RmsNormGradient* norm, void* stream) {
  RmsNormGradient n = *norm;
  open_all(n.x, n.gain, n.gradient, n.dx);
  return emulated::rms_norm_gradient(&n, stream);
}
const char* rotate_heads(const HeadRotation* heads, void* stream) {
  HeadRotation h = *heads;
  open_all(h.x, h.gain, h.cosine, h.sine, h.y);
  return emulated::rotate_heads(&h, stream);
}
const char* rotate_heads_gradient(const HeadRotation* heads, void* stream) {
  HeadRotation h = *heads;
  open_all(h.x, h.gain, h.cosine, h.sine, h.y, h.dx);
  return emulated::rotate_heads_gradient(&h, stream);
}
const char* cross_entropy(const CrossEntropy* loss, void* stream) {
  CrossEntropy c = *loss;
  open_all(c.logits, c.targets, c.losses);
  return emulated::cross_entropy(&c, stream);
}
const char* adamw_step(const AdamWStep* step, void* stream) {
  AdamWStep s = *step;
  open_all(s.parameters, s.first, s.second, s.gradients);
  return emulated::adamw_step(&s, stream);
}

constexpr KernelTable kTable = {
    .version = kKernelTableVersion,
    .device_name = "fake",
    .aten_device = "privateuseone:0",
    .aten_library = nullptr,
    .device_count = device_count,
    .device_facts = device_facts,
    .nf4_dequantize = nullptr,
    .nf4_quantize = nullptr,
    .nf4_expand = expand,
    .lora_product = lora_product,
    .rms_norm = rms_norm,
    .rms_norm_gradient = rms_norm_gradient,
    .rotate_heads = rotate_heads,
    .rotate_heads_gradient = rotate_heads_gradient,
    .cross_entropy = cross_entropy,
    .adamw_step = adamw_step,
    .allocate = nullptr,
    .release = nullptr,
    .copy_to_device = nullptr,
    .copy_to_host = nullptr,
};

// Ranks ---------------------------------------------------------------------------------------------------------------

const char* open_group(const unsigned char* id, int rank, int ranks, void** group) {
  *group = new FakeGroup(id, rank, ranks);
  return nullptr;
}
const char* meet(void* group, const float* send, float* receive, int64_t sent, int64_t count,
                 bool own_part) {
  open_all(send, receive);
  const std::vector<float> got = static_cast<FakeGroup*>(group)->meet(send, sent, count, own_part);
  std::copy(got.begin(), got.end(), receive);
  return nullptr;
}
const char* exchange(void* group, const float* send, float* receive, int64_t count, void*) {
  return meet(group, send, receive, count * static_cast<FakeGroup*>(group)->ranks(), count, true);
}
const char* gather(void* group, const float* send, float* receive, int64_t count, void*) {
  return meet(group, send, receive, count, count, false);
}
const char* close_group(void* group) {
  static_cast<FakeGroup*>(group)->leave();
  delete static_cast<FakeGroup*>(group);
  return nullptr;
}

constexpr CollectiveTable kCollectives = {
    .version = kCollectiveTableVersion,
    .library = "files",
    .make_id = fake_make_id,
    .open = open_group,
    .exchange = exchange,
    .gather = gather,
    .close = close_group,
};

constexpr FakeDeviceControl kControl = {
    .reset =
        [](uint64_t bytes) {
          order().forget();
          memory().peak_bytes = memory().used_bytes;
          memory().limit_bytes = bytes;
        },
    .used_bytes = [] { return memory().used_bytes; },
    .peak_bytes = [] { return memory().peak_bytes; },
    .races = [] { return order().races().c_str(); },
    .log = [] { return order().log().c_str(); },
};

[[maybe_unused]] const bool hooks_registered = [] {
  c10::SetAllocator(kType, &allocator());
  at::RegisterPrivateUse1HooksInterface(new FakeHooks);
  return true;
}();

}  // namespace
}  // namespace plumb::models

extern "C" const plumb::models::KernelTable* plumb_kernel_table() { return &plumb::models::kTable; }
extern "C" const plumb::models::CollectiveTable* plumb_collective_table() {
  return &plumb::models::kCollectives;
}
extern "C" const plumb::models::FakeDeviceControl* plumb_fake_device_control() {
  return &plumb::models::kControl;
}
