/* Numbers of a mini-batch; gather.cl has the equation. rows is the list of its rows. */
#ifndef DELTARULE_GATHER_H
#define DELTARULE_GATHER_H
#include "portable.h"

/* VW neighbours from an element on, as many as are left. */
DEVICE void gather_up_to(INDEX left, INDEX element, int n, GLOBAL const float *data,
                         GLOBAL const int *rows, float *part) {
  const INDEX row = element / n;
  const INDEX column = element - row * n;
  if (n % VW == 0 && left > 0) { /* all in one row */
    STORE(READ(data + rows[row] * (INDEX)n + column), part);
    return;
  }
  INDEX from[VW]; /* all of these loads are on their way before the first of the next is made */
  UNROLL for (int j = 0; j < VW; j++) {
    const INDEX below = (column + j) / n;
    from[j] = j < left ? rows[row + below] * (INDEX)n + (column + j - below * n) : 0;
  }
  UNROLL for (int j = 0; j < VW; j++) {
    part[j] = j < left ? data[from[j]] : 0.0f;
  }
}

#endif
