/*
 * CUDA C++ on the host: what the kernels need in order to be compiled by g++ and run by launch.cpp.
 *
 * A block is run by one OS thread, its threads as fibres of it, so memory of the block is
 * thread_local. A thread runs until it ends or waits: at __syncthreads, at a shuffle, or where it
 * may be spinning on something that another block writes (atomics, __threadfence, __ldcg,
 * __nanosleep: they let other blocks run).
 */
#pragma once

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "twin.h"

namespace emulation {

inline thread_local Context *context;

/* A copy that its thread has begun. */
struct Copy {
  void *to;
  const void *from;
  size_t bytes;
  unsigned thread;
};
inline thread_local Copy begun[1 << 12];
inline thread_local size_t countOfBegun;

template <auto F>
struct Describe;

template <class... P, void (*F)(P...)>
struct Describe<F> {
  static constexpr size_t sizes[] = {sizeof(P)..., 0};
  static constexpr bool pointers[] = {std::is_pointer_v<P>..., false};

  template <size_t... I>
  static void apply(void **parameters, std::index_sequence<I...>) {
    F(*static_cast<P *>(parameters[I])...);
  }
  static void enter(Context *current) {
    context = current;
    countOfBegun = 0;
  }
  static void call(void **parameters) {
    apply(parameters, std::index_sequence_for<P...>{});
  }
  static constexpr Kernel as(const char *name) {
    return {name, enter, call, sizeof...(P), sizes, pointers};
  }
};

/* T, where it shall not take part in finding T. */
template <class T>
using Same = typename std::enable_if<true, T>::type;

/* Ends the compiler's knowledge of what memory holds, as a barrier does. */
inline void forget() { __asm__ volatile("" ::: "memory"); }

inline void yield() {
  context->yield(context);
  forget();
}

inline unsigned placeInBlock() {
  const Context &c = *context;
  return c.thread.x + c.blockSize.x * (c.thread.y + c.blockSize.y * c.thread.z);
}

inline unsigned lane() { return placeInBlock() % 32; }

/* Every lane of the warp takes part; the masks of the callers are not looked at. */
template <class T>
T exchange(T value, unsigned from, bool valid) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  Context *c = context;
  uint64_t *row = c->lanes[(*c->shuffles)++ % 2];
  std::memcpy(&row[lane()], &value, sizeof value);
  c->waitForWarp(c);
  forget();
  if (valid) {
    std::memcpy(&value, &row[from], sizeof value);
  }
  return value;
}

}  // namespace emulation

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local
#define LOCAL_OF_LAUNCH(TYPE, name) TYPE *const name = static_cast<TYPE *>(emulation::context->shared)

#define threadIdx (emulation::context->thread)
#define blockIdx (emulation::context->block)
#define blockDim (emulation::context->blockSize)
#define gridDim (emulation::context->gridSize)
#define warpSize 32

inline void __syncthreads() {
  emulation::context->waitForBlock(emulation::context);
  emulation::forget();
}
inline void __syncwarp(unsigned = ~0u) {
  emulation::context->waitForWarp(emulation::context);
  emulation::forget();
}
/* Those of every other thread come as early, the others as late as they may. */
inline void __pipeline_memcpy_async(void *to, const void *from, size_t bytes) {
  using namespace emulation;
  if (placeInBlock() % 2 != context->late || countOfBegun == sizeof begun / sizeof *begun) {
    std::memcpy(to, from, bytes);
  } else {
    begun[countOfBegun++] = {to, from, bytes, placeInBlock()};
  }
}
inline void __pipeline_commit() {}
/* Waits for all copies of the thread. */
inline void __pipeline_wait_prior(size_t) {
  using namespace emulation;
  size_t left = 0;
  for (size_t i = 0; i < countOfBegun; i++) {
    if (begun[i].thread == placeInBlock()) {
      std::memcpy(begun[i].to, begun[i].from, begun[i].bytes);
    } else {
      begun[left++] = begun[i];
    }
  }
  countOfBegun = left;
  forget();
}
inline float __fdividef(float x, float y) { return x / y; }
inline void __threadfence_block() { emulation::forget(); }
inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  emulation::yield();
}
inline void __nanosleep(unsigned) { emulation::yield(); }

template <class T>
T __shfl_sync(unsigned, T value, int from, int width = 32) {
  const unsigned first = emulation::lane() / width * width;
  return emulation::exchange(value, first + from % width, true);
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta, int width = 32) {
  const unsigned lane = emulation::lane();
  return emulation::exchange(value, lane + delta, lane % width + delta < unsigned(width));
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned delta, int width = 32) {
  const unsigned lane = emulation::lane();
  return emulation::exchange(value, lane - delta, lane % width >= delta);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask, int width = 32) {
  const unsigned lane = emulation::lane();
  return emulation::exchange(value, lane ^ mask, (lane ^ mask) / width == lane / width);
}

template <class T>
T atomicAdd(T *p, emulation::Same<T> value) {
  static_assert(std::is_integral_v<T>, "the order of floating point additions must be fixed");
  const T old = __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);
  emulation::yield();
  return old;
}
template <class T>
T atomicExch(T *p, emulation::Same<T> value) {
  const T old = __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);
  emulation::yield();
  return old;
}
template <class T>
T atomicCAS(T *p, emulation::Same<T> expected, emulation::Same<T> value) {
  __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  emulation::yield();
  return expected;
}

/* A plain load: only a spinning reader would need another block to run, and it uses volatile. */
template <class T>
T __ldg(const T *p) {
  return *p;
}
/* Reads what other blocks have written, so the compiler must not keep an older value. */
template <class T>
T __ldcg(const T *p) {
  emulation::forget();
  return *p;
}
template <class T>
void __stcg(T *p, emulation::Same<T> value) {
  *p = value;
  emulation::forget();
}

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

inline unsigned __float_as_uint(float f) {
  unsigned u;
  std::memcpy(&u, &f, sizeof u);
  return u;
}
inline float __uint_as_float(unsigned u) {
  float f;
  std::memcpy(&f, &u, sizeof f);
  return f;
}
inline int __float_as_int(float f) { return int(__float_as_uint(f)); }
inline float __int_as_float(int i) { return __uint_as_float(unsigned(i)); }
