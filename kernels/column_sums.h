/*
 * The parts of column sums that the kernels share, so that all of them add in the same order.
 */
#ifndef DELTARULE_COLUMN_SUMS_H
#define DELTARULE_COLUMN_SUMS_H
#include "portable.h"

#ifndef CX
#define CX (WG < 16 ? WG : 16)
#endif
#define CY (WG / CX)

/* The rows of a chunk: from the first of chunk c to the first of chunk c + 1, at most to m. */
DEVICE int chunk_start(int c, int chunks, int m) {
  const int rows = (int)(((INDEX)m + chunks - 1) / chunks);
  return (INDEX)c * rows < m ? c * rows : m;
}

/* Adds the sums of the CY work-items of each column, as a tree. */
DEVICE void add_columns(float sum, int column, int n, LOCAL_PTR float *shared,
                        GLOBAL float *db) {
  const int item = group_item();
  shared[item] = sum;
  BARRIER();
  for (int step = CY / 2; step > 0; step /= 2) {
    if (item < step * CX) {
      shared[item] += shared[item + step * CX];
    }
    BARRIER();
  }
  if (item < CX && column < n) {
    db[column] = shared[item];
  }
}

/* CX columns of one chunk of d [m x n]. All work-items of the group must call it. */
DEVICE void column_sums_of(int first, int chunk, int chunks, int m, int n, GLOBAL const float *d,
                           LOCAL_PTR float *shared, GLOBAL float *db) {
  const int column = first + group_item() % CX;
  const int end = chunk_start(chunk + 1, chunks, m);
  float sum = 0.0f;
  if (column < n) {
    for (int row = chunk_start(chunk, chunks, m) + group_item() / CX; row < end;
         row += AHEAD * CY) {
      float part[AHEAD];
      UNROLL for (int i = 0; i < AHEAD; i++) {
        part[i] = row + i * CY < end ? d[(INDEX)(row + i * CY) * n + column] : 0.0f;
      }
      UNROLL for (int i = 0; i < AHEAD; i++) {
        if (row + i * CY < end) {
          sum += part[i];
        }
      }
    }
  }
  add_columns(sum, column, n, shared, db);
}

#endif
