/*
 * A mini-batch from rows of the data:  x_ij = data[rows[at][i]][j]
 *   data [any x n], rows [lists x length] of row numbers, X [m x n], m <= length
 *
 * Launch: one work-item for VW elements of X, groups of WG.
 */
#include "gather.h"

KERNEL(WG, 1) void gather(int m, int n, int length, GLOBAL const float *RESTRICT data, INDEX atData,
    GLOBAL const int *RESTRICT rows, GLOBAL const int *RESTRICT at,
    GLOBAL float *RESTRICT x, INDEX atX) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  const INDEX left = (INDEX)m * n - i;
  float part[VW];
  gather_up_to(left, i, n, data + atData, rows + (INDEX)at[0] * length, part);
  write_up_to(left, part, x + atX + i + PLANT_OOB);
}
