/*
 * One dialect for OpenCL C 1.2 and CUDA C++; the kernels are written in it.
 *
 *   KERNEL(X, Y) void name(...)   a kernel for groups of exactly X by Y work-items. Every kernel is
 *                                 spelled out like this, on one line and none is made by a macro, so
 *                                 grep -o 'KERNEL(.*) void [a-z_]*' lists them all.
 *   GROUP(d), ITEM(d)             the place of the group in the launch, of the work-item in its group
 *   LOCAL                         declares memory of the group, at the top of a kernel only
 *   LOCAL_PTR                     a parameter that points to it
 *   INDEX                         64 bits everywhere: matrices are offsets into large buffers
 *   VEC                           VW floats; LOAD and STORE need no alignment
 *
 * There is no double and no atomic; a * b + c may be contracted, otherwise arithmetic is IEEE's.
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
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
typedef long INDEX;

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
#define SPLAT(x) ((VEC)(x))
#define MULTIPLY_ADD(a, v, c) ((VEC)(a) * (v) + (c))

#else /* CUDA C++ */

#define KERNEL(X, Y) extern "C" __global__ __launch_bounds__((X) * (Y))
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
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
typedef long long INDEX; /* long has 32 bits on Windows */

#define EXP(x) expf(x)
#define LOG(x) logf(x)
#define LOG1P(x) log1pf(x)
#define TANH_OF(x) tanhf(x)
#define SQRT(x) sqrtf(x)
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
DEVICE VEC SPLAT(float x) {
  VEC v;
  UNROLL for (int i = 0; i < VW; i++) v.part[i] = x;
  return v;
}
DEVICE VEC MULTIPLY_ADD(float a, VEC v, VEC c) {
  UNROLL for (int i = 0; i < VW; i++) c.part[i] = a * v.part[i] + c.part[i];
  return c;
}

#endif

/*
 * The sum of one number of each of the WG work-items, always in the same order. All of them must
 * call it; the result is right in item 0.
 */
DEVICE float group_sum(float value, LOCAL_PTR float *shared) {
  const int item = ITEM(0);
  shared[item] = value;
  BARRIER();
  for (int step = WG / 2; step > 0; step /= 2) {
    if (item < step) {
      shared[item] += shared[item + step];
    }
#if !PLANT_RACE
    BARRIER();
#endif
  }
  return shared[0];
}

#endif
