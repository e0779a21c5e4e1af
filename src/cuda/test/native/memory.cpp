#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <deque>

#include "streams.h"

namespace fake {
namespace {

constexpr size_t PAGE = 4096;
constexpr size_t GUARD = size_t(64) << 20; /* on both sides: addresses cost nothing */
constexpr size_t ALIGNMENT = 256;
/* How many freed allocations keep their addresses, so that a late access faults. */
constexpr size_t QUARANTINE = 512;

struct Allocation {
  char *mapping;
  size_t mapped;
  char *data;
  size_t size;
  Context *context;

  /* The padding, on both sides, must be as it was filled: else something was written beyond. */
  bool intact() const {
    for (const char *p = mapping + GUARD; p < data; p++) {
      if (*p != char(0xFF)) {
        return false;
      }
    }
    for (const char *p = data + size; p < mapping + mapped - GUARD; p++) {
      if (*p != char(0xFF)) {
        return false;
      }
    }
    return true;
  }
};

std::map<char *, Allocation> device;
std::map<char *, Allocation> pinned;
std::deque<Allocation> freed;

size_t roundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

const Allocation *find(const std::map<char *, Allocation> &all, const void *address) {
  auto after = all.upper_bound(static_cast<char *>(const_cast<void *>(address)));
  if (after == all.begin()) {
    return nullptr;
  }
  const Allocation &candidate = (--after)->second;
  return static_cast<const char *>(address) < candidate.data + candidate.size ? &candidate : nullptr;
}

/* The end of the data lies as close to the guard page as its alignment allows. */
bool map(size_t bytes, Context *context, Allocation &result) {
  const size_t padded = roundUp(bytes, ALIGNMENT);
  const size_t pages = roundUp(padded, PAGE);
  const size_t mapped = pages + 2 * GUARD;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void *mapping = mmap(nullptr, mapped, PROT_NONE, flags, -1, 0);
  if (mapping == MAP_FAILED) {
    return false;
  }
  char *first = static_cast<char *>(mapping) + GUARD;
  if (mprotect(first, pages, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping, mapped);
    return false;
  }
  memset(first, 0xFF, pages);
  result = {static_cast<char *>(mapping), mapped, first + pages - padded, bytes, context};
  return true;
}

/* Gives the memory back, but not yet the addresses. */
void retire(const Allocation &old) {
  mmap(old.mapping, old.mapped, PROT_NONE,
       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  freed.push_back(old);
  if (freed.size() > QUARANTINE) {
    munmap(freed.front().mapping, freed.front().mapped);
    freed.pop_front();
  }
}

void checkIntact(const Allocation &a) {
  if (!a.intact()) {
    misuse("[overrun] something was written beside an allocation of %zu bytes", a.size);
  }
}

bool reachable(Context *from, Context *owner) {
  return from == owner || from->device == owner->device || from->peers.count(owner) > 0;
}

}  // namespace

CUresult allocate(Context *context, size_t bytes, CUdeviceptr *address) {
  if (bytes == 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  Allocation made;
  if (bytes > configuration.memory - allocatedBytes(context->device) ||
      !map(bytes, context, made)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  device[made.data] = made;
  *address = CUdeviceptr(made.data);
  return CUDA_SUCCESS;
}

CUresult release(CUdeviceptr address) {
  if (address == 0) {
    return CUDA_SUCCESS;
  }
  auto found = device.find(reinterpret_cast<char *>(address));
  if (found == device.end()) {
    misuse("[free] %s", describeAddress(reinterpret_cast<void *>(address)).c_str());
    return CUDA_ERROR_INVALID_VALUE;
  }
  checkIntact(found->second);
  retire(found->second);
  device.erase(found);
  return CUDA_SUCCESS;
}

void releaseAll(Context *context) {
  for (auto *all : {&device, &pinned}) {
    for (auto i = all->begin(); i != all->end();) {
      if (i->second.context == context) {
        retire(i->second);
        i = all->erase(i);
      } else {
        ++i;
      }
    }
  }
}

CUresult allocatePinned(Context *context, size_t bytes, void **address) {
  Allocation made;
  if (bytes == 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!map(bytes, context, made)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  pinned[made.data] = made;
  *address = made.data;
  return CUDA_SUCCESS;
}

CUresult releasePinned(void *address) {
  auto found = pinned.find(static_cast<char *>(address));
  if (found == pinned.end()) {
    misuse("[free] %p is not pinned memory", address);
    return CUDA_ERROR_INVALID_VALUE;
  }
  checkIntact(found->second);
  retire(found->second);
  pinned.erase(found);
  return CUDA_SUCCESS;
}

bool isPinned(const void *address, size_t bytes) {
  const Allocation *a = find(pinned, address);
  return a != nullptr && static_cast<const char *>(address) + bytes <= a->data + a->size;
}

bool usable(Context *context, CUdeviceptr address, size_t bytes, const char *call) {
  const char *first = reinterpret_cast<const char *>(address);
  const Allocation *a = find(device, first);
  if (a == nullptr) {
    misuse("[%s] %zu bytes at %s", call, bytes, describeAddress(first).c_str());
    return false;
  }
  if (first + bytes > a->data + a->size) {
    misuse("[%s] %zu bytes at offset %zu of an allocation of %zu bytes", call, bytes,
           size_t(first - a->data), a->size);
    return false;
  }
  if (!reachable(context, a->context)) {
    misuse("[%s] memory of another device, without access to it", call);
    return false;
  }
  return true;
}

bool usableByKernel(Context *context, CUdeviceptr address) {
  const void *p = reinterpret_cast<const void *>(address);
  const Allocation *a = find(device, p);
  return p == nullptr || (a != nullptr ? reachable(context, a->context) : isPinned(p, 0));
}

CUresult addressRange(CUdeviceptr address, CUdeviceptr *base, size_t *bytes) {
  const Allocation *a = find(device, reinterpret_cast<void *>(address));
  if (a == nullptr) {
    return CUDA_ERROR_NOT_FOUND;
  }
  if (base != nullptr) {
    *base = CUdeviceptr(a->data);
  }
  if (bytes != nullptr) {
    *bytes = a->size;
  }
  return CUDA_SUCCESS;
}

size_t allocatedBytes(int index) {
  size_t sum = 0;
  for (const auto &[data, a] : device) {
    sum += a.context->device == index ? a.size : 0;
  }
  return sum;
}

size_t allocations() { return device.size(); }

size_t pinnedAllocations() { return pinned.size(); }

std::string describeAddress(const void *address) {
  const char *p = static_cast<const char *>(address);
  char text[160];
  const auto inside = [p](const Allocation &a) {
    return p >= a.mapping && p < a.mapping + a.mapped;
  };
  for (const auto &[data, a] : device) {
    if (inside(a)) {
      snprintf(text, sizeof text, "offset %td of an allocation of %zu bytes", p - a.data, a.size);
      return text;
    }
  }
  for (const Allocation &a : freed) {
    if (inside(a)) {
      snprintf(text, sizeof text, "freed memory: offset %td of what had %zu bytes", p - a.data,
               a.size);
      return text;
    }
  }
  snprintf(text, sizeof text, "%p, which is no device memory", address);
  return text;
}

}  // namespace fake
