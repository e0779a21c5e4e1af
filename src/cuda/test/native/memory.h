/* Device memory and pinned host memory. */
#pragma once

#include "fake.h"

namespace fake {

struct Context;

/* Filled with 0xFF, which is NaN as float and bfloat16, between two guard pages. */
CUresult allocate(Context *context, size_t bytes, CUdeviceptr *address);
CUresult release(CUdeviceptr address);
void releaseAll(Context *context);

CUresult allocatePinned(Context *context, size_t bytes, void **address);
CUresult releasePinned(void *address);
bool isPinned(const void *address, size_t bytes);

/* Whether the range lies in one allocation that the context may use; if not, that is noted. */
bool usable(Context *context, CUdeviceptr address, size_t bytes, const char *call);
/* Whether a kernel of the context may be given this pointer. */
bool usableByKernel(Context *context, CUdeviceptr address);
CUresult addressRange(CUdeviceptr address, CUdeviceptr *base, size_t *bytes);

size_t allocatedBytes(int device);
size_t allocations();
size_t pinnedAllocations();

}  // namespace fake
