/*
 * bf16, the upper half of a float. Rounding is to the nearest, ties to even; NaN stays NaN, and what
 * is not 0 does not become 0, so that a mask of ReLU may look at a copy.
 *
 * A copy of a matrix in bf16 has rows of pitch numbers, a multiple of 8 that the columns fit in, so
 * that every row starts at 16 bytes: cuBLAS's fast products need that. The numbers beyond are 0.
 */
#ifndef DELTARULE_BF16_H
#define DELTARULE_BF16_H
#include "portable.h"

typedef unsigned short HALF;

struct __align__(VW >= 4 ? 8 : 2 * VW) HALVES {
  HALF part[VW];
};

DEVICE HALF rounded(float x) {
  union {
    float number;
    unsigned int bits;
  } both;
  both.number = x;
  const unsigned int bits = both.bits;
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return (HALF)(bits >> 16 | 0x40u); /* quiet: its payload may lie in the lower half alone */
  }
  const unsigned int nearest = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return (HALF)(nearest | ((nearest & 0x7fffu) == 0u && (bits & 0x7fffffffu) != 0u ? 1u : 0u));
}

DEVICE float widened(HALF half) {
  union {
    unsigned int bits;
    float number;
  } both;
  both.bits = (unsigned int)half << 16;
  return both.number;
}

/*
 * VW floats, of which left are there, to a copy in bf16 whose rows are a multiple of VW long: zeros
 * beyond.
 */
DEVICE void write_halves(INDEX left, const float *part, HALF *p) {
  HALVES halves;
  UNROLL for (int j = 0; j < VW; j++) {
    halves.part[j] = j < left ? rounded(part[j]) : 0;
  }
  *(HALVES *)p = halves;
}

#endif
