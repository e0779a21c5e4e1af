/* One number of a mini-batch; gather.cl has the equation. */
#ifndef DELTARULE_GATHER_H
#define DELTARULE_GATHER_H
#include "portable.h"

DEVICE float gathered(INDEX element, int n, int length, GLOBAL const float *data,
                      GLOBAL const int *rows, int at) {
  const INDEX i = element / n;
  const INDEX j = element - i * n;
  return data[rows[(INDEX)at * length + i] * (INDEX)n + j];
}

#endif
