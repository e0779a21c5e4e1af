/*
 * A CUDA driver for tests on machines without a card: libcuda.so.1, as far as the engine needs it.
 *
 * What it emulates
 *   Kernels     A module is a PTX file whose first line is "// deltarule: <module> <source> <options>".
 *               Its host twin, the same source compiled with the same options by g++, is run in its
 *               place (build, emulation.h, launch.cpp). The PTX is parsed for its version, target,
 *               entries, parameters, launch bounds and shared memory, which must agree with the twin.
 *   Order       Streams, events, the null stream, captures and graphs form an order (streams.cpp), and
 *               nothing else does. By default work runs only when something waits for it, and only
 *               what must come before, so that a missing wait reads what was there before. Schedule
 *               has the opposite as well.
 *   Memory      Allocations are filled with 0xFF (NaN), lie between guard pages and fault once freed.
 *               The padding is checked when they are freed. A fault in a kernel becomes
 *               CUDA_ERROR_ILLEGAL_ADDRESS, which sticks to the context.
 *   Devices     Several, each with memory of its own, which others reach by peer access only.
 *   Capture     Thread-local, global and relaxed mode; fork and join through events; what may not be
 *               called during a capture invalidates it.
 *   cuBLAS      See cublas.cpp.
 *
 * Stricter than a real driver: asynchronous copies need pinned memory; a kernel's pointers must be
 * null or lie in memory that the context may use; a thread that ends while others of its block wait
 * at a barrier is an error; anything that is not emulated returns CUDA_ERROR_NOT_SUPPORTED and is
 * noted. What is noted is read by FakeDriver.messages().
 *
 * What it does not emulate
 *   The PTX itself: its instructions are not run, so what the CUDA compiler made of the source, races
 *   within a warp, the weak order of memory, occupancy, registers and speed stay unseen. Shared memory
 *   keeps what the block before left in it. A write that jumps over a guard page into another
 *   allocation is not noticed. Only one launch runs at a time. Arrays, textures, memory pools,
 *   virtual memory, interprocess handles, graphics and graphs that are built by hand are missing.
 */
#include <dlfcn.h>

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "fake.h"
#include "launch.h"
#include "memory.h"
#include "ptx.h"
#include "streams.h"
#include "twin.h"

using namespace fake;

namespace {

constexpr unsigned MAX_THREADS = 1024;
constexpr unsigned MAX_THREADS_PER_MULTIPROCESSOR = 2048;
constexpr size_t SHARED_PER_BLOCK = 48 << 10;
constexpr size_t SHARED_PER_MULTIPROCESSOR = 164 << 10;
constexpr size_t SHARED_AT_MOST = 163 << 10; /* of a block, where the function's attribute asks */

bool initialized;
thread_local std::vector<Context *> current;

struct Module;

struct Function {
  Module *module;
  Entry entry;
  const emulation::Kernel *kernel;
  size_t mostShared; /* bytes that a launch may ask for */
};

struct Module {
  Context *context;
  std::map<std::string, Function> functions;
};

Registry<Module> modules;

Context *currentContext() {
  return current.empty() ? nullptr : contexts.find(current.back());
}

/* What a call of a context needs; and a context in which a kernel has failed is lost. */
int requireContext(Context *&context) {
  if (!initialized) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  context = currentContext();
  if (context == nullptr) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  return context->status;
}

#define ENTER_CONTEXT(call)                            \
  ENTER(call)                                          \
  Context *context;                                    \
  if (const int refused = requireContext(context)) {   \
    return refused;                                    \
  }

#define REFUSE_DURING_CAPTURE(call)                       \
  if (const int refused = refuseDuringCapture(#call)) {   \
    return refused;                                       \
  }

/* The stream of a handle; null if it is none of the current context. */
Stream *streamOf(Context *context, void *handle) {
  constexpr uintptr_t LEGACY = 1;
  if (handle == nullptr || uintptr_t(handle) == LEGACY) {
    return &context->nullStream;
  }
  Stream *stream = streams.find(handle);
  return stream != nullptr && stream->context == context ? stream : nullptr;
}

bool isDevice(int index) { return index >= 0 && index < configuration.devices; }

/* The newest PTX that a driver of this version takes: 12.4 takes 8.4, 12.6 takes 8.5. */
int newestPtx() {
  const int major = configuration.driverVersion / 1000;
  const int minor = configuration.driverVersion % 1000 / 10;
  if (major == 12) {
    return 80 + (minor > 5 ? minor - 1 : minor);
  }
  return 10 * (major - 4) + minor;
}

int deviceAttribute(int attribute) {
  switch (attribute) {
    case 1: return MAX_THREADS;
    case 2: case 3: return MAX_THREADS; /* block x, y */
    case 4: return 64;                  /* block z */
    case 5: return 2147483647;          /* grid x */
    case 6: case 7: return 65535;       /* grid y, z */
    case 8: return SHARED_PER_BLOCK;
    case 97: return SHARED_AT_MOST;
    case 9: return 65536; /* constant memory */
    case 10: return 32;   /* warp */
    case 12: return 65536; /* registers of a block */
    case 13: return 1000000; /* clock, kHz */
    case 16: return configuration.multiprocessors;
    case 17: return 0; /* time limit of kernels */
    case 18: return 0; /* integrated */
    case 19: return 1; /* maps host memory */
    case 20: return 0; /* compute mode: shared */
    case 31: return 1; /* concurrent kernels */
    case 32: return 0; /* error correction */
    case 33: case 34: return 0; /* PCI bus, device */
    case 36: return 1000000; /* memory clock, kHz */
    case 37: return 256; /* bus width */
    case 38: return 4 << 20; /* L2 cache */
    case 39: return MAX_THREADS_PER_MULTIPROCESSOR;
    case 40: return 2; /* copy engines */
    case 41: return 1; /* unified addressing */
    case 75: return configuration.computeCapability / 10;
    case 76: return configuration.computeCapability % 10;
    case 78: return 1; /* stream priorities */
    case 81: return SHARED_PER_MULTIPROCESSOR;
    case 82: return 65536; /* registers of a multiprocessor */
    case 95: return 1; /* cooperative launches */
    case 106: return 32; /* blocks of a multiprocessor */
    case 115: return 0; /* memory pools */
    default: return -1;
  }
}

void destroyContext(Context *context) {
  finish(context);
  const auto mine = [context](const auto &object) { return object.context == context; };
  streams.removeIf(mine);
  events.removeIf(mine);
  modules.removeIf(mine);
  graphs.removeIf(mine);
  executableGraphs.removeIf(mine);
  releaseAll(context);
  for (Context *other : contexts.all()) {
    other->peers.erase(context);
  }
  contexts.remove(context);
}

Context *primaryOf(int device) {
  for (Context *context : contexts.all()) {
    if (context->primary && context->device == device) {
      return context;
    }
  }
  return nullptr;
}

std::string ownFolder() {
  Dl_info info;
  dladdr(reinterpret_cast<void *>(&ownFolder), &info);
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/'));
}

const emulation::Kernel *findTwin(void *library, const std::string &name) {
  const auto *all = static_cast<const emulation::Kernel *>(dlsym(library, "twinKernels"));
  for (; all->name != nullptr; all++) {
    if (name == all->name) {
      return all;
    }
  }
  return nullptr;
}

/* Whether the entry and its twin take the same parameters. */
bool agree(const Entry &entry, const emulation::Kernel &kernel) {
  return entry.parameters.size() == kernel.count &&
         std::equal(entry.parameters.begin(), entry.parameters.end(), kernel.sizes);
}

int loadModule(Context *context, void **handle, const std::string &text) {
  static std::map<std::string, Ptx> parsed; /* tests load the same few texts again and again */
  std::string error;
  auto found = parsed.find(text);
  if (found == parsed.end()) {
    Ptx ptx;
    if (parse(text, ptx, error)) {
      found = parsed.emplace(text, ptx).first;
    }
  }
  if (found == parsed.end()) {
    misuse("[cuModuleLoadData] %s", error.c_str());
    return CUDA_ERROR_INVALID_IMAGE;
  }
  const Ptx &ptx = found->second;
  if (ptx.version > newestPtx()) {
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  }
  if (ptx.target > configuration.computeCapability) {
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  void *library = dlopen((ownFolder() + "/twins/" + ptx.module + ".so").c_str(), RTLD_NOW);
  if (library == nullptr) {
    misuse("[cuModuleLoadData] no host twin: %s", dlerror());
    return CUDA_ERROR_INVALID_IMAGE;
  }
  const char *compiled = *static_cast<const char **>(dlsym(library, "twinHeader"));
  if (ptx.header != compiled) {
    misuse("[cuModuleLoadData] the PTX was made by \"%s\", its host twin by \"%s\"",
           ptx.header.c_str(), compiled);
    return CUDA_ERROR_INVALID_IMAGE;
  }
  auto module = std::make_unique<Module>();
  module->context = context;
  for (const Entry &entry : ptx.entries) {
    const emulation::Kernel *kernel = findTwin(library, entry.name);
    if (kernel == nullptr || !agree(entry, *kernel)) {
      misuse("[cuModuleLoadData] %s of %s is not what the source has now: make the PTX anew",
             entry.name.c_str(), ptx.module.c_str());
      return CUDA_ERROR_INVALID_IMAGE;
    }
    module->functions[entry.name] = {module.get(), entry, kernel,
                                     SHARED_PER_BLOCK - std::min(SHARED_PER_BLOCK, entry.shared)};
  }
  *handle = modules.add(module.release());
  return CUDA_SUCCESS;
}

/* The function of a handle; null if it is none. */
Function *functionOf(void *handle) {
  for (Module *module : modules.all()) {
    for (auto &[name, function] : module->functions) {
      if (&function == handle) {
        return &function;
      }
    }
  }
  return nullptr;
}

/* How many blocks a multiprocessor holds at once. */
unsigned occupancy(const Function &function, unsigned threads) {
  unsigned blocks = std::min(32u, MAX_THREADS_PER_MULTIPROCESSOR / std::max(threads, 1u));
  if (function.entry.shared > 0) {
    blocks = std::min(blocks, unsigned(SHARED_PER_MULTIPROCESSOR / function.entry.shared));
  }
  return blocks;
}

int refuseLaunch(const Function &function, const Launch &launch) {
  const dim3 &grid = launch.grid, &block = launch.block;
  const char *name = launch.kernel->name;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0 ||
      grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535 || block.x > MAX_THREADS ||
      block.y > MAX_THREADS || block.z > 64) {
    misuse("[launch] %s: grid (%u, %u, %u) of blocks (%u, %u, %u)", name, grid.x, grid.y, grid.z,
           block.x, block.y, block.z);
    return CUDA_ERROR_INVALID_VALUE;
  }
  const size_t threads = size_t(block.x) * block.y * block.z;
  if (threads > function.entry.maxThreads) {
    misuse("[launch] %s: %zu threads in a block, %u at most", name, threads,
           function.entry.maxThreads);
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (function.entry.shared > SHARED_PER_BLOCK || launch.shared > function.mostShared) {
    misuse("[launch] %s: %zu and %zu bytes of shared memory", name, function.entry.shared,
           launch.shared);
    return CUDA_ERROR_INVALID_VALUE;
  }
  const size_t blocks = size_t(grid.x) * grid.y * grid.z;
  const size_t most = size_t(occupancy(function, unsigned(threads))) * configuration.multiprocessors;
  if (launch.cooperative && blocks > most) {
    misuse("[launch] %s: %zu blocks that wait for each other, %zu run at once", name, blocks, most);
    return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
  }
  return CUDA_SUCCESS;
}

int runLaunch(Context *context, const Launch &launch, std::string &message) {
  for (size_t i = 0; i < launch.kernel->count; i++) {
    CUdeviceptr pointer;
    if (!launch.kernel->pointers[i]) {
      continue;
    }
    memcpy(&pointer, launch.parameters[i].data(), sizeof pointer);
    if (!usableByKernel(context, pointer)) {
      message = std::string(launch.kernel->name) + ": parameter " + std::to_string(i) +
                " points to " + describeAddress(reinterpret_cast<void *>(pointer));
      return CUDA_ERROR_ILLEGAL_ADDRESS;
    }
  }
  return run(launch, reversedThreads, message);
}

int launchKernel(Context *context, void *handle, dim3 grid, dim3 block, size_t shared,
                 void *streamHandle, void **parameters, bool cooperative) {
  Function *function = functionOf(handle);
  Stream *stream = streamOf(context, streamHandle);
  if (function == nullptr || stream == nullptr || function->module->context != context) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  Launch launch{function->kernel, grid, block, shared, cooperative, {}};
  if (int refused = refuseLaunch(*function, launch)) {
    return refused;
  }
  for (size_t i = 0; i < function->kernel->count; i++) {
    const char *value = static_cast<const char *>(parameters[i]);
    launch.parameters.emplace_back(value, value + function->kernel->sizes[i]);
  }
  return enqueue(stream, [context, launch](std::string &message) {
    return runLaunch(context, launch, message);
  });
}

/* Work of a copy or a fill: it cannot fail, its ranges have been checked. */
template <class F>
Work infallible(F f) {
  return [f](std::string &) {
    f();
    return CUDA_SUCCESS;
  };
}

char *pointer(CUdeviceptr address) { return reinterpret_cast<char *>(address); }

/* A copy or fill that returns when it is done goes through the null stream. */
int runNow(Context *context, const char *call, Work work) {
  if (int refused = refuseDuringCapture(call)) {
    return refused;
  }
  if (int refused = enqueue(&context->nullStream, std::move(work))) {
    return refused;
  }
  return synchronize(&context->nullStream);
}

int runLater(Context *context, void *handle, Work work) {
  Stream *stream = streamOf(context, handle);
  return stream == nullptr ? int(CUDA_ERROR_INVALID_HANDLE) : enqueue(stream, std::move(work));
}

bool requirePinned(const void *host, size_t bytes, const char *call) {
  if (!isPinned(host, bytes)) {
    misuse("[pageable] %s of %zu bytes: the host memory is not pinned", call, bytes);
    return false;
  }
  return true;
}

}  // namespace

/* For the fake cuBLAS, whose calls obey the same order and captures. */
FAKE_API int fakeEnqueue(void *stream, Work work) {
  Context *context = currentContext();
  return context == nullptr ? int(CUDA_ERROR_INVALID_CONTEXT)
                            : runLater(context, stream, std::move(work));
}
FAKE_API bool fakeUsable(CUdeviceptr address, size_t bytes, const char *call) {
  Context *context = currentContext();
  return context != nullptr && usable(context, address, bytes, call);
}
FAKE_API void fakeSynchronizeAll() {
  if (Context *context = currentContext()) {
    synchronizeAll(context);
  }
}
FAKE_API bool fakeHasContext() { return currentContext() != nullptr; }
FAKE_API void fakeMisuse(const char *message) { misuse("%s", message); }

namespace fake {

size_t loadedModules() { return modules.size(); }

void resetDriver() {
  forgetAll();
  const std::set<Context *> all = contexts.all();
  for (Context *context : all) {
    destroyContext(context);
  }
  current.clear();
  initialized = false;
}

}  // namespace fake

/* Devices */

FAKE_API int cuInit(unsigned flags) {
  ENTER(cuInit)
  if (flags != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (configuration.devices == 0) {
    return CUDA_ERROR_NO_DEVICE;
  }
  initialized = true;
  return CUDA_SUCCESS;
}

FAKE_API int cuDriverGetVersion(int *version) {
  ENTER(cuDriverGetVersion)
  *version = configuration.driverVersion;
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount)
  if (!initialized) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  *count = configuration.devices;
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceGet(int *device, int ordinal) {
  ENTER(cuDeviceGet)
  if (!initialized) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  if (!isDevice(ordinal)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  *device = ordinal;
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceGetName(char *name, int length, int device) {
  ENTER(cuDeviceGetName)
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  snprintf(name, size_t(length), "Fake CUDA device %d", device);
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceGetUuid(char *uuid, int device) {
  ENTER(cuDeviceGetUuid)
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  memset(uuid, device + 1, 16);
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceGetPCIBusId(char *id, int length, int device) {
  ENTER(cuDeviceGetPCIBusId)
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  snprintf(id, size_t(length), "0000:%02x:00.0", device + 1);
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  ENTER(cuDeviceTotalMem)
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  *bytes = configuration.memory;
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER(cuDeviceGetAttribute)
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  *value = deviceAttribute(attribute);
  if (*value < 0) {
    misuse("[cuDeviceGetAttribute] attribute %d is not emulated", attribute);
    return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceComputeCapability(int *major, int *minor, int device) {
  ENTER(cuDeviceComputeCapability)
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  *major = configuration.computeCapability / 10;
  *minor = configuration.computeCapability % 10;
  return CUDA_SUCCESS;
}

FAKE_API int cuDeviceCanAccessPeer(int *can, int device, int peer) {
  ENTER(cuDeviceCanAccessPeer)
  if (!isDevice(device) || !isDevice(peer)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  *can = device != peer;
  return CUDA_SUCCESS;
}

/* Contexts */

FAKE_API int cuCtxCreate_v2(void **handle, unsigned, int device) {
  ENTER(cuCtxCreate)
  if (!initialized) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  Context *made = contexts.add(new Context(device, false));
  current.push_back(made);
  *handle = made;
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxDestroy_v2(void *handle) {
  ENTER(cuCtxDestroy)
  Context *context = contexts.find(handle);
  if (context == nullptr || context->primary) {
    misuse("[cuCtxDestroy] %p is no context that was created", handle);
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (!current.empty() && current.back() == context) {
    current.pop_back();
  }
  destroyContext(context);
  return CUDA_SUCCESS;
}

FAKE_API int cuDevicePrimaryCtxRetain(void **handle, int device) {
  ENTER(cuDevicePrimaryCtxRetain)
  if (!initialized) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  if (!isDevice(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  Context *primary = primaryOf(device);
  if (primary == nullptr) {
    primary = contexts.add(new Context(device, true));
  } else {
    primary->references++;
  }
  *handle = primary;
  return CUDA_SUCCESS;
}

FAKE_API int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(cuDevicePrimaryCtxRelease)
  Context *primary = primaryOf(device);
  if (primary == nullptr) {
    misuse("[cuDevicePrimaryCtxRelease] the primary context of device %d is not retained", device);
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (--primary->references == 0) {
    destroyContext(primary);
  }
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxPushCurrent_v2(void *handle) {
  ENTER(cuCtxPushCurrent)
  Context *context = contexts.find(handle);
  if (context == nullptr) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  current.push_back(context);
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxPopCurrent_v2(void **handle) {
  ENTER(cuCtxPopCurrent)
  if (current.empty()) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (handle != nullptr) {
    *handle = current.back();
  }
  current.pop_back();
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxSetCurrent(void *handle) {
  ENTER(cuCtxSetCurrent)
  if (handle != nullptr && contexts.find(handle) == nullptr) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (!current.empty()) {
    current.pop_back();
  }
  if (handle != nullptr) {
    current.push_back(contexts.find(handle));
  }
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxGetCurrent(void **handle) {
  ENTER(cuCtxGetCurrent)
  *handle = currentContext();
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxGetDevice(int *device) {
  ENTER_CONTEXT(cuCtxGetDevice)
  *device = context->device;
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxSynchronize() {
  ENTER_CONTEXT(cuCtxSynchronize)
  return synchronizeAll(context);
}

FAKE_API int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  ENTER_CONTEXT(cuCtxGetStreamPriorityRange)
  *least = 0;
  *greatest = -5;
  return CUDA_SUCCESS;
}

FAKE_API int cuCtxEnablePeerAccess(void *handle, unsigned) {
  ENTER_CONTEXT(cuCtxEnablePeerAccess)
  Context *peer = contexts.find(handle);
  if (peer == nullptr || peer->device == context->device) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  return context->peers.insert(peer).second ? CUDA_SUCCESS : CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
}

FAKE_API int cuCtxDisablePeerAccess(void *handle) {
  ENTER_CONTEXT(cuCtxDisablePeerAccess)
  return context->peers.erase(contexts.find(handle)) > 0 ? CUDA_SUCCESS
                                                         : CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}

/* Memory. Freeing waits for the device, as a real driver does. */

FAKE_API int cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  ENTER_CONTEXT(cuMemAlloc)
  REFUSE_DURING_CAPTURE(cuMemAlloc)
  return allocate(context, bytes, address);
}

FAKE_API int cuMemFree_v2(CUdeviceptr address) {
  ENTER_CONTEXT(cuMemFree)
  REFUSE_DURING_CAPTURE(cuMemFree)
  const int status = synchronize(context);
  const int freed = release(address);
  return status != CUDA_SUCCESS ? status : freed;
}

FAKE_API int cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  ENTER_CONTEXT(cuMemHostAlloc)
  REFUSE_DURING_CAPTURE(cuMemHostAlloc)
  return allocatePinned(context, bytes, address);
}

FAKE_API int cuMemAllocHost_v2(void **address, size_t bytes) {
  ENTER_CONTEXT(cuMemAllocHost)
  REFUSE_DURING_CAPTURE(cuMemAllocHost)
  return allocatePinned(context, bytes, address);
}

FAKE_API int cuMemFreeHost(void *address) {
  ENTER_CONTEXT(cuMemFreeHost)
  REFUSE_DURING_CAPTURE(cuMemFreeHost)
  const int status = synchronize(context);
  const int freed = releasePinned(address);
  return status != CUDA_SUCCESS ? status : freed;
}

FAKE_API int cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *host, unsigned) {
  ENTER_CONTEXT(cuMemHostGetDevicePointer)
  if (!isPinned(host, 1)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *address = CUdeviceptr(host);
  return CUDA_SUCCESS;
}

FAKE_API int cuMemGetInfo_v2(size_t *free, size_t *total) {
  ENTER_CONTEXT(cuMemGetInfo)
  *total = configuration.memory;
  *free = configuration.memory - allocatedBytes(context->device);
  return CUDA_SUCCESS;
}

FAKE_API int cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address) {
  ENTER_CONTEXT(cuMemGetAddressRange)
  return addressRange(address, base, bytes);
}

/* Copies and fills */

FAKE_API int cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyHtoD)
  if (!usable(context, to, bytes, "cuMemcpyHtoD")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runNow(context, "cuMemcpyHtoD", infallible([=] { memcpy(pointer(to), from, bytes); }));
}

FAKE_API int cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyDtoH)
  if (!usable(context, from, bytes, "cuMemcpyDtoH")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runNow(context, "cuMemcpyDtoH", infallible([=] { memcpy(to, pointer(from), bytes); }));
}

FAKE_API int cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  ENTER_CONTEXT(cuMemcpyDtoD)
  REFUSE_DURING_CAPTURE(cuMemcpyDtoD)
  if (!usable(context, to, bytes, "cuMemcpyDtoD") ||
      !usable(context, from, bytes, "cuMemcpyDtoD")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  /* Within a device the call does not wait for the copy. */
  return enqueue(&context->nullStream,
                 infallible([=] { memmove(pointer(to), pointer(from), bytes); }));
}

FAKE_API int cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, void *stream) {
  ENTER_CONTEXT(cuMemcpyHtoDAsync)
  if (!usable(context, to, bytes, "cuMemcpyHtoDAsync") ||
      !requirePinned(from, bytes, "cuMemcpyHtoDAsync")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runLater(context, stream, infallible([=] { memcpy(pointer(to), from, bytes); }));
}

FAKE_API int cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, void *stream) {
  ENTER_CONTEXT(cuMemcpyDtoHAsync)
  if (!usable(context, from, bytes, "cuMemcpyDtoHAsync") ||
      !requirePinned(to, bytes, "cuMemcpyDtoHAsync")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runLater(context, stream, infallible([=] { memcpy(to, pointer(from), bytes); }));
}

FAKE_API int cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void *stream) {
  ENTER_CONTEXT(cuMemcpyDtoDAsync)
  if (!usable(context, to, bytes, "cuMemcpyDtoDAsync") ||
      !usable(context, from, bytes, "cuMemcpyDtoDAsync")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runLater(context, stream,
                  infallible([=] { memmove(pointer(to), pointer(from), bytes); }));
}

FAKE_API int cuMemcpyPeerAsync(CUdeviceptr to, void *toContext, CUdeviceptr from,
                               void *fromContext, size_t bytes, void *stream) {
  ENTER_CONTEXT(cuMemcpyPeerAsync)
  Context *target = contexts.find(toContext);
  Context *source = contexts.find(fromContext);
  if (target == nullptr || source == nullptr) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (!usable(target, to, bytes, "cuMemcpyPeerAsync") ||
      !usable(source, from, bytes, "cuMemcpyPeerAsync")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runLater(context, stream,
                  infallible([=] { memmove(pointer(to), pointer(from), bytes); }));
}

FAKE_API int cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  ENTER_CONTEXT(cuMemsetD8)
  REFUSE_DURING_CAPTURE(cuMemsetD8)
  if (!usable(context, to, count, "cuMemsetD8")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return enqueue(&context->nullStream, infallible([=] { memset(pointer(to), value, count); }));
}

FAKE_API int cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, void *stream) {
  ENTER_CONTEXT(cuMemsetD8Async)
  if (!usable(context, to, count, "cuMemsetD8Async")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runLater(context, stream, infallible([=] { memset(pointer(to), value, count); }));
}

FAKE_API int cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  ENTER_CONTEXT(cuMemsetD32)
  REFUSE_DURING_CAPTURE(cuMemsetD32)
  if (to % 4 != 0 || !usable(context, to, 4 * count, "cuMemsetD32")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return enqueue(&context->nullStream, infallible([=] {
    std::fill_n(reinterpret_cast<unsigned *>(to), count, value);
  }));
}

FAKE_API int cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, void *stream) {
  ENTER_CONTEXT(cuMemsetD32Async)
  if (to % 4 != 0 || !usable(context, to, 4 * count, "cuMemsetD32Async")) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return runLater(context, stream, infallible([=] {
    std::fill_n(reinterpret_cast<unsigned *>(to), count, value);
  }));
}

/* Streams and events */

namespace {

int createStream(Context *context, void **handle, unsigned flags) {
  constexpr unsigned NON_BLOCKING = 1;
  if (flags > NON_BLOCKING) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *handle = streams.add(new Stream{context, flags != NON_BLOCKING, nullptr, nullptr, {}});
  return CUDA_SUCCESS;
}

}  // namespace

FAKE_API int cuStreamCreate(void **handle, unsigned flags) {
  ENTER_CONTEXT(cuStreamCreate)
  return createStream(context, handle, flags);
}

FAKE_API int cuStreamCreateWithPriority(void **handle, unsigned flags, int) {
  ENTER_CONTEXT(cuStreamCreateWithPriority)
  return createStream(context, handle, flags);
}

FAKE_API int cuStreamDestroy_v2(void *handle) {
  ENTER(cuStreamDestroy)
  Stream *stream = streams.find(handle);
  if (stream == nullptr) {
    misuse("[cuStreamDestroy] %p is no stream", handle);
    return CUDA_ERROR_INVALID_HANDLE;
  }
  const std::shared_ptr<Capture> capture = stream->capture;
  if (capture) {
    capture->invalidated = true;
  }
  const int status = capture ? int(CUDA_SUCCESS) : synchronize(stream);
  streams.remove(stream);
  return status;
}

FAKE_API int cuStreamSynchronize(void *handle) {
  ENTER_CONTEXT(cuStreamSynchronize)
  Stream *stream = streamOf(context, handle);
  if (stream == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  return synchronize(stream);
}

FAKE_API int cuStreamQuery(void *handle) {
  ENTER_CONTEXT(cuStreamQuery)
  Stream *stream = streamOf(context, handle);
  if (stream == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  const bool done = isDone(stream->last);
  const int status = synchronize(stream); /* so that a loop of queries ends */
  return status == CUDA_SUCCESS && !done ? int(CUDA_ERROR_NOT_READY) : status;
}

FAKE_API int cuStreamWaitEvent(void *handle, void *eventHandle, unsigned) {
  ENTER_CONTEXT(cuStreamWaitEvent)
  Stream *stream = streamOf(context, handle);
  Event *event = events.find(eventHandle);
  if (stream == nullptr || event == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  return wait(stream, event);
}

FAKE_API int cuEventCreate(void **handle, unsigned flags) {
  ENTER_CONTEXT(cuEventCreate)
  constexpr unsigned BLOCKING_SYNC = 1, DISABLE_TIMING = 2;
  if ((flags & ~(BLOCKING_SYNC | DISABLE_TIMING)) != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *handle = events.add(new Event{context, (flags & DISABLE_TIMING) == 0, {}, {}, {}, {}});
  return CUDA_SUCCESS;
}

FAKE_API int cuEventDestroy_v2(void *handle) {
  ENTER(cuEventDestroy)
  Event *event = events.find(handle);
  if (event == nullptr) {
    misuse("[cuEventDestroy] %p is no event", handle);
    return CUDA_ERROR_INVALID_HANDLE;
  }
  events.remove(event);
  return CUDA_SUCCESS;
}

FAKE_API int cuEventRecord(void *handle, void *streamHandle) {
  ENTER_CONTEXT(cuEventRecord)
  Event *event = events.find(handle);
  Stream *stream = streamOf(context, streamHandle);
  if (stream == nullptr || event == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  return record(event, stream);
}

FAKE_API int cuEventSynchronize(void *handle) {
  ENTER_CONTEXT(cuEventSynchronize)
  Event *event = events.find(handle);
  return event == nullptr ? int(CUDA_ERROR_INVALID_HANDLE) : synchronize(event);
}

FAKE_API int cuEventQuery(void *handle) {
  ENTER_CONTEXT(cuEventQuery)
  Event *event = events.find(handle);
  if (event == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  const bool done = isDone(event->record);
  const int status = synchronize(event); /* so that a loop of queries ends */
  return status == CUDA_SUCCESS && !done ? int(CUDA_ERROR_NOT_READY) : status;
}

FAKE_API int cuEventElapsedTime(float *milliseconds, void *from, void *to) {
  ENTER_CONTEXT(cuEventElapsedTime)
  Event *begin = events.find(from);
  Event *end = events.find(to);
  if (begin == nullptr || end == nullptr || !begin->timed || !end->timed ||
      !begin->record || !end->record) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  if (!isDone(begin->record) || !isDone(end->record)) {
    return CUDA_ERROR_NOT_READY;
  }
  *milliseconds = float(*end->milliseconds - *begin->milliseconds);
  return CUDA_SUCCESS;
}

/* Modules and launches */

FAKE_API int cuModuleLoadData(void **handle, const void *image) {
  ENTER_CONTEXT(cuModuleLoadData)
  REFUSE_DURING_CAPTURE(cuModuleLoadData)
  return loadModule(context, handle, static_cast<const char *>(image));
}

FAKE_API int cuModuleLoadDataEx(void **handle, const void *image, unsigned, int *, void **) {
  ENTER_CONTEXT(cuModuleLoadDataEx)
  REFUSE_DURING_CAPTURE(cuModuleLoadDataEx)
  return loadModule(context, handle, static_cast<const char *>(image));
}

FAKE_API int cuModuleUnload(void *handle) {
  ENTER_CONTEXT(cuModuleUnload)
  REFUSE_DURING_CAPTURE(cuModuleUnload)
  Module *module = modules.find(handle);
  if (module == nullptr) {
    misuse("[cuModuleUnload] %p is no module", handle);
    return CUDA_ERROR_INVALID_HANDLE;
  }
  modules.remove(module);
  return CUDA_SUCCESS;
}

FAKE_API int cuModuleGetFunction(void **handle, void *moduleHandle, const char *name) {
  ENTER_CONTEXT(cuModuleGetFunction)
  Module *module = modules.find(moduleHandle);
  if (module == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  auto found = module->functions.find(name);
  if (found == module->functions.end()) {
    return CUDA_ERROR_NOT_FOUND;
  }
  *handle = &found->second;
  return CUDA_SUCCESS;
}

FAKE_API int cuFuncGetAttribute(int *value, int attribute, void *handle) {
  ENTER(cuFuncGetAttribute)
  constexpr int THREADS = 0, SHARED = 1, CONSTANT = 2, LOCAL = 3, REGISTERS = 4;
  Function *function = functionOf(handle);
  if (function == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  switch (attribute) {
    case THREADS: *value = int(function->entry.maxThreads); break;
    case SHARED: *value = int(function->entry.shared); break;
    case CONSTANT: case LOCAL: *value = 0; break;
    case REGISTERS: *value = 32; break;
    default:
      misuse("[cuFuncGetAttribute] attribute %d is not emulated", attribute);
      return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

FAKE_API int cuFuncSetAttribute(void *handle, int attribute, int value) {
  ENTER_CONTEXT(cuFuncSetAttribute)
  constexpr int DYNAMIC_SHARED = 8;
  Function *function = functionOf(handle);
  if (function == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  if (attribute != DYNAMIC_SHARED) {
    misuse("[cuFuncSetAttribute] attribute %d is not emulated", attribute);
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (value < 0 || size_t(value) > SHARED_AT_MOST - function->entry.shared) {
    misuse("[cuFuncSetAttribute] %d bytes of shared memory", value);
    return CUDA_ERROR_INVALID_VALUE;
  }
  function->mostShared = std::max(SHARED_PER_BLOCK - function->entry.shared, size_t(value));
  return CUDA_SUCCESS;
}

FAKE_API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *handle, int threads,
                                                         size_t) {
  ENTER_CONTEXT(cuOccupancyMaxActiveBlocksPerMultiprocessor)
  Function *function = functionOf(handle);
  if (function == nullptr || threads <= 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *blocks = int(occupancy(*function, unsigned(threads)));
  return CUDA_SUCCESS;
}

FAKE_API int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY, unsigned gridZ,
                            unsigned blockX, unsigned blockY, unsigned blockZ, unsigned shared,
                            void *stream, void **parameters, void **extra) {
  ENTER_CONTEXT(cuLaunchKernel)
  if (extra != nullptr) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  return launchKernel(context, function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared,
                      stream, parameters, false);
}

FAKE_API int cuLaunchCooperativeKernel(void *function, unsigned gridX, unsigned gridY,
                                       unsigned gridZ, unsigned blockX, unsigned blockY,
                                       unsigned blockZ, unsigned shared, void *stream,
                                       void **parameters) {
  ENTER_CONTEXT(cuLaunchCooperativeKernel)
  return launchKernel(context, function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared,
                      stream, parameters, true);
}

/* Captures and graphs */

FAKE_API int cuStreamBeginCapture_v2(void *handle, int mode) {
  ENTER_CONTEXT(cuStreamBeginCapture)
  Stream *stream = streamOf(context, handle);
  if (stream == nullptr || mode < 0 || mode > 2) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return beginCapture(stream, mode);
}

FAKE_API int cuStreamEndCapture(void *handle, void **graph) {
  ENTER_CONTEXT(cuStreamEndCapture)
  Stream *stream = streamOf(context, handle);
  if (stream == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  Graph *made = nullptr;
  const int status = endCapture(stream, &made);
  *graph = made;
  return status;
}

FAKE_API int cuStreamIsCapturing(void *handle, int *state) {
  ENTER_CONTEXT(cuStreamIsCapturing)
  constexpr int NONE = 0, ACTIVE = 1, INVALIDATED = 2;
  Stream *stream = streamOf(context, handle);
  if (stream == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  *state = !stream->capture ? NONE : stream->capture->invalidated ? INVALIDATED : ACTIVE;
  return CUDA_SUCCESS;
}

FAKE_API int cuGraphInstantiateWithFlags(void **handle, void *graphHandle, unsigned long long) {
  ENTER_CONTEXT(cuGraphInstantiate)
  Graph *graph = graphs.find(graphHandle);
  if (graph == nullptr) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *handle = executableGraphs.add(new ExecutableGraph{graph->context, graph->nodes, nullptr});
  return CUDA_SUCCESS;
}

FAKE_API int cuGraphGetNodes(void *handle, void **nodes, size_t *count) {
  ENTER(cuGraphGetNodes)
  Graph *graph = graphs.find(handle);
  if (graph == nullptr) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (nodes != nullptr) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  *count = graph->nodes.size();
  return CUDA_SUCCESS;
}

FAKE_API int cuGraphUpload(void *handle, void *stream) {
  ENTER_CONTEXT(cuGraphUpload)
  return executableGraphs.find(handle) != nullptr && streamOf(context, stream) != nullptr
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_HANDLE;
}

FAKE_API int cuGraphLaunch(void *handle, void *streamHandle) {
  ENTER_CONTEXT(cuGraphLaunch)
  ExecutableGraph *graph = executableGraphs.find(handle);
  Stream *stream = streamOf(context, streamHandle);
  if (graph == nullptr || stream == nullptr) {
    return CUDA_ERROR_INVALID_HANDLE;
  }
  return launch(graph, stream);
}

FAKE_API int cuGraphExecDestroy(void *handle) {
  ENTER(cuGraphExecDestroy)
  ExecutableGraph *graph = executableGraphs.find(handle);
  if (graph == nullptr) {
    misuse("[cuGraphExecDestroy] %p is no executable graph", handle);
    return CUDA_ERROR_INVALID_VALUE;
  }
  executableGraphs.remove(graph);
  return CUDA_SUCCESS;
}

FAKE_API int cuGraphDestroy(void *handle) {
  ENTER(cuGraphDestroy)
  Graph *graph = graphs.find(handle);
  if (graph == nullptr) {
    misuse("[cuGraphDestroy] %p is no graph", handle);
    return CUDA_ERROR_INVALID_VALUE;
  }
  graphs.remove(graph);
  return CUDA_SUCCESS;
}

/* Names of the codes */

FAKE_API int cuGetErrorName(int status, const char **name) {
  ENTER(cuGetErrorName)
  *name = statusName(status);
  return *name == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

FAKE_API int cuGetErrorString(int status, const char **text) {
  ENTER(cuGetErrorString)
  *text = statusName(status);
  return *text == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
