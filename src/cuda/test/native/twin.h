/* What the driver and the host twins of kernels know of each other. */
#pragma once

#include <cstddef>
#include <cstdint>

struct uint3 {
  unsigned x, y, z;
};
using dim3 = uint3;

namespace emulation {

/* What a kernel sees of its launch. One for each OS thread; launch.cpp sets it before each switch. */
struct Context {
  uint3 thread, block;
  dim3 blockSize, gridSize;
  void (*waitForBlock)(Context *);
  void (*waitForWarp)(Context *);
  void (*yield)(Context *);
  uint64_t (*lanes)[32]; /* of the thread's warp: two rows, used in turn by successive shuffles */
  unsigned *shuffles;    /* how many this thread has made */
  void *shared;          /* the block's memory, as much of it as the launch asks for */
  unsigned late;         /* 0 or 1: which threads' copies come as late as they may */
};

/* A kernel, as the table of its module lists it. */
struct Kernel {
  const char *name;
  void (*enter)(Context *); /* before the first call on an OS thread with this context */
  void (*call)(void **parameters);
  size_t count;
  const size_t *sizes;
  const bool *pointers;
};

}  // namespace emulation
