/*
 * The inputs and the targets of a mini-batch in one launch, which costs more than they do:
 *
 *   gather_batch   x_ij = data[rows[at][i]][j],  y_ij = dataOfY[rows[at][i]][j]
 *
 *   data [any x n], dataOfY [any x nOfY], rows [lists x length], X [m x n], Y [m x nOfY], m <= length
 *
 * half, if it is not null, gets X rounded to bf16, in rows of pitch; X itself is written only if keep
 * is not 0. nOfY may be 0. Launch: one work-item for VW elements of X, or of the copy, groups of WG,
 * groupsOfX of them; the groups after them likewise for Y.
 */
#include "bf16.h"
#include "gather.h"

/* A group's share of a matrix, in floats. */
DEVICE void gather_floats(int group, int m, int n, const float *data, const int *rows, float *x) {
  const INDEX i = ((INDEX)group * WG + ITEM(0)) * VW;
  const INDEX left = (INDEX)m * n - i;
  float part[VW];
  gather_up_to(left, i, n, data, rows, part);
  write_up_to(left, part, x + i);
}

KERNEL(WG, 1) void gather_batch(int m, int n, int pitch, int keep, int length, int groupsOfX, int nOfY,
    const int *RESTRICT rows, const int *RESTRICT at,
    const float *RESTRICT data, INDEX atData, float *RESTRICT x, INDEX atX, HALF *RESTRICT half,
    const float *RESTRICT dataOfY, float *RESTRICT y) {
  const int *list = rows + (INDEX)at[0] * length;
  if (GROUP(0) >= groupsOfX) {
    gather_floats(GROUP(0) - groupsOfX, m, nOfY, dataOfY, list, y);
  } else if (!half) {
    gather_floats(GROUP(0), m, n, data + atData, list, x + atX);
  } else {
    const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
    const INDEX row = i / pitch;
    const int column = (int)(i - row * pitch);
    if (row < m) {
      float part[VW];
      read_up_to(n - column, data + atData + list[row] * (INDEX)n + column, part);
      if (keep) {
        write_up_to(n - column, part, x + atX + row * n + column);
      }
      write_halves(n - column, part, half + i);
    }
  }
}
