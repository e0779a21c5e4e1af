/*
 * One dialect for OpenCL C 1.2 and CUDA C++; the kernels are written in it.
 *
 *   KERNEL(X, Y) void name(...)   a kernel for groups of exactly X by Y work-items. Each is spelled
 *                                 out like this, on one line and none is made by a macro, so that
 *                                 grep -o 'KERNEL(.*) void [a-z0-9_]*' lists them all.
 *   GROUP(d), ITEM(d)             the place of the group in the launch, of the item in its group
 *   GROUPS(d), ITEMS(d)           how many there are
 *   GROUP_LINE                    GROUP(1) of a launch that may have more lines of groups than CUDA
 *                                 has room for along y: the others lie along z, and after the last
 *                                 may come some without work
 *   LOCAL                         declares memory of the group, at the top of a kernel only
 *   LOCAL_OF_LAUNCH               declares as much of it as the launch asks for; CUDA's alone
 *   LOCAL_PTR                     a parameter that points to it
 *   INDEX                         64 bits everywhere: matrices are offsets into large buffers
 *   VEC                           VW floats; LOAD and STORE need no alignment
 *   READ, WRITE                   the same in global memory: one access where the address allows it
 *   AHEAD                         how many loads a loop has on their way: a thread of a GPU waits
 *                                 for each that it uses before the next has been asked for
 *   PREFETCH                      whether numbers are fetched a barrier before they are needed
 *
 * There is no double and no atomic on floats. OpenCL may contract a * b + c; CUDA is compiled with
 * -fmad=false, where only MULTIPLY_ADD is contracted: kernels that share a function then give the
 * same bits. Otherwise arithmetic is IEEE's.
 */
#ifndef DELTARULE_PORTABLE_H
#define DELTARULE_PORTABLE_H

/* The width of a VEC: 1, 2, 4, 8 or 16. */
#ifndef VW
#define VW 4
#endif

/* The work-items of a group in all kernels but the products, a power of two. */
#ifndef WG
#define WG 64
#endif

/* Whether OpenCL C is for a GPU, whose work-items wait for each load that they use; CUDA's always is. */
#ifndef GPU
#define GPU 0
#endif

/* Faults for testing that the race and bounds checker finds them. */
#ifndef PLANT_RACE
#define PLANT_RACE 0
#endif
#ifndef PLANT_OOB
#define PLANT_OOB 0
#endif

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)

#define KERNEL(X, Y) __kernel __attribute__((reqd_work_group_size(X, Y, 1)))
#define DEVICE static inline
#define GLOBAL __global
#define LOCAL __local
#define LOCAL_PTR __local
#define RESTRICT restrict
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define ITEM(d) ((int)get_local_id(d))
#define GROUP(d) ((int)get_group_id(d))
#define GROUPS(d) ((int)get_num_groups(d))
#define ITEMS(d) ((int)get_local_size(d))
#define GROUP_LINE GROUP(1)
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
typedef long INDEX;
#if GPU
#define PARTLY_UNROLLED _Pragma("unroll 16")
#define AHEAD 16
#define PREFETCH 1
#define PER_ITEM(n, size) (n)
#else
#define PARTLY_UNROLLED
#define AHEAD 1
#define PREFETCH 0 /* PoCL keeps what lives across a barrier in memory */

/*
 * n, as a number that seems to differ between work-items of groups that are size long in y. PoCL
 * turns a loop that is the same for all of them inside out: then the sums leave their registers at
 * every step.
 */
#define PER_ITEM(n, size) ((n) + (ITEM(1) >= (size)))
#endif

#define EXP(x) exp(x)
#define LOG(x) log(x)
#define LOG1P(x) log1p(x)
#define TANH_OF(x) tanh(x)
#define SQRT(x) sqrt(x)
#define FABS(x) fabs(x)

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#if VW == 1
typedef float VEC;
#define LOAD(p) (*(p))
#define STORE(v, p) (*(p) = (v))
#else
typedef PASTE(float, VW) VEC;
#define LOAD(p) PASTE(vload, VW)(0, p)
#define STORE(v, p) PASTE(vstore, VW)(v, 0, p)
#endif
#if GPU && VW > 1
DEVICE VEC READ(GLOBAL const float *p) {
  return (INDEX)p % sizeof(VEC) == 0 ? *(GLOBAL const VEC *)p : LOAD(p);
}
DEVICE void WRITE(VEC v, GLOBAL float *p) {
  if ((INDEX)p % sizeof(VEC) == 0) {
    *(GLOBAL VEC *)p = v;
  } else {
    STORE(v, p);
  }
}
#else
#define READ(p) LOAD(p)
#define WRITE(v, p) STORE(v, p)
#endif
#define SPLAT(x) ((VEC)(x))
#define MULTIPLY_ADD(a, v, c) ((VEC)(a) * (v) + (c))

#else /* CUDA C++ */

/* The groups that a multiprocessor shall have room for: one, as CUDA 12's assembler spills registers
   to fit in more of them. */
#ifndef RESIDENT
#define RESIDENT 1
#endif
#define KERNEL(X, Y) extern "C" __global__ __launch_bounds__((X) * (Y), RESIDENT)
#define DEVICE static __device__ __forceinline__
#define GLOBAL
#define LOCAL __shared__
#define LOCAL_PTR
#define RESTRICT __restrict__
#define BARRIER() __syncthreads()
#define COMPONENT(v, d) ((int)((d) == 0 ? v.x : v.y))
#define ITEM(d) COMPONENT(threadIdx, d)
#define GROUP(d) COMPONENT(blockIdx, d)
#define GROUPS(d) COMPONENT(gridDim, d)
#define ITEMS(d) COMPONENT(blockDim, d)
#ifndef LOCAL_OF_LAUNCH
#define LOCAL_OF_LAUNCH(TYPE, name) extern __shared__ TYPE name[]
#endif
#define GROUP_LINE ((int)(blockIdx.z * gridDim.y + blockIdx.y))
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#define PARTLY_UNROLLED _Pragma("unroll 16")
#define AHEAD 16
#define PREFETCH 1
#define PER_ITEM(n, size) (n)
typedef long long INDEX; /* long has 32 bits on Windows */

#define EXP(x) expf(x)
#define LOG(x) logf(x)
#define LOG1P(x) log1pf(x)
#define TANH_OF(x) tanhf(x)
#define SQRT(x) sqrtf(x)
#define DIVIDE(x, y) __fdividef(x, y) /* but for the last two bits */
#define FABS(x) fabsf(x)

struct __align__(VW >= 4 ? 16 : 4 * VW) VEC {
  float part[VW];
};
DEVICE VEC LOAD(const float *p) {
  VEC v;
  UNROLL for (int i = 0; i < VW; i++) v.part[i] = p[i];
  return v;
}
DEVICE void STORE(VEC v, float *p) {
  UNROLL for (int i = 0; i < VW; i++) p[i] = v.part[i];
}
DEVICE VEC READ(const float *p) {
  return (INDEX)p % sizeof(VEC) == 0 ? *(const VEC *)p : LOAD(p);
}
DEVICE void WRITE(VEC v, float *p) {
  if ((INDEX)p % sizeof(VEC) == 0) {
    *(VEC *)p = v;
  } else {
    STORE(v, p);
  }
}
DEVICE VEC SPLAT(float x) {
  VEC v;
  UNROLL for (int i = 0; i < VW; i++) v.part[i] = x;
  return v;
}
DEVICE VEC MULTIPLY_ADD(float a, VEC v, VEC c) {
  UNROLL for (int i = 0; i < VW; i++) c.part[i] = fmaf(a, v.part[i], c.part[i]);
  return c;
}

#endif

/* Up to VW floats, as many as are left; zeros beyond. */
DEVICE void read_up_to(INDEX left, GLOBAL const float *p, float *part) {
  if (left >= VW) {
    STORE(READ(p), part);
  } else {
    UNROLL for (int j = 0; j < VW; j++) {
      part[j] = j < left ? p[j] : 0.0f;
    }
  }
}

DEVICE void write_up_to(INDEX left, const float *part, GLOBAL float *p) {
  if (left >= VW) {
    WRITE(LOAD(part), p);
  } else {
    UNROLL for (int j = 0; j < VW; j++) {
      if (j < left) {
        p[j] = part[j];
      }
    }
  }
}

/* The place of the work-item in its group, counted along x first. */
DEVICE int group_item(void) {
  return ITEM(1) * ITEMS(0) + ITEM(0);
}

/*
 * The sum of one number of each of so many neighbouring work-items, a power of two up to WG, always
 * in the same order; each of them gets it. All work-items of the group must call it.
 */
DEVICE float lanes_sum(float value, int lanes, LOCAL_PTR float *shared) {
  const int item = group_item();
  const int lane = item % lanes;
  shared[item] = value;
  BARRIER();
  for (int step = lanes / 2; step > 0; step /= 2) {
    if (lane < step) {
      shared[item] += shared[item + step];
    }
#if !PLANT_RACE
    BARRIER();
#endif
  }
  const float sum = shared[item - lane];
  BARRIER(); /* before shared is written again */
  return sum;
}

/* The largest of them likewise; NaN is passed by. */
DEVICE float lanes_max(float value, int lanes, LOCAL_PTR float *shared) {
  const int item = group_item();
  const int lane = item % lanes;
  shared[item] = value;
  BARRIER();
  for (int step = lanes / 2; step > 0; step /= 2) {
    if (lane < step && shared[item + step] > shared[item]) {
      shared[item] = shared[item + step];
    }
    BARRIER();
  }
  const float max = shared[item - lane];
  BARRIER();
  return max;
}

/* The sum of one number of each of the WG work-items of the group. */
DEVICE float group_sum(float value, LOCAL_PTR float *shared) {
  return lanes_sum(value, WG, shared);
}

#endif
