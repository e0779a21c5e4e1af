/*
 * Rounding to bf16, the upper half of a float: to the nearest, ties to even; NaN stays NaN.
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
  return (HALF)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* Up to VW floats, as many as are left. */
DEVICE void write_halves(INDEX left, const float *part, HALF *p) {
  HALVES halves;
  UNROLL for (int j = 0; j < VW; j++) {
    halves.part[j] = rounded(part[j]);
  }
  if (left >= VW && (INDEX)p % sizeof(HALVES) == 0) {
    *(HALVES *)p = halves;
  } else {
    UNROLL for (int j = 0; j < VW; j++) {
      if (j < left) {
        p[j] = halves.part[j];
      }
    }
  }
}

#endif
