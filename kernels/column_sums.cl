/*
 * The bias gradient  db = D' 1:  db_j = sum_i d_ij      D [m x n], db [n]
 *
 * Launch: groups of CX by CY work-items, ceil(n / CX) groups. A group adds CX columns; its item
 * (x, y) every CY-th row of column x from row y on, and the CY sums are added as a tree.
 */
#include "portable.h"

#ifndef CX
#define CX (WG < 16 ? WG : 16)
#endif
#define CY (WG / CX)

KERNEL(CX, CY) void column_sums(int m, int n, GLOBAL const float *RESTRICT d, INDEX atD,
    GLOBAL float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const int x = ITEM(0);
  const int y = ITEM(1);
  const int column = GROUP(0) * CX + x;
  float sum = 0.0f;
  if (column < n) {
    for (int row = y; row < m; row += CY) {
      sum += d[atD + (INDEX)row * n + column];
    }
  }
  shared[y * CX + x] = sum;
  BARRIER();
  for (int step = CY / 2; step > 0; step /= 2) {
    if (y < step) {
      shared[y * CX + x] += shared[(y + step) * CX + x];
    }
    BARRIER();
  }
  if (y == 0 && column < n) {
    db[atDb + column] = shared[x];
  }
}
