/*
 * A mini-batch from rows of the data:  x_ij = data[rows[at][i]][j]
 *   data [any x n], rows [lists x length] of row numbers, X [m x n], m <= length
 *
 * Launch: one work-item for each element of X, groups of WG.
 */
#include "gather.h"

KERNEL(WG, 1) void gather(int m, int n, int length, GLOBAL const float *RESTRICT data, INDEX atData,
    GLOBAL const int *RESTRICT rows, GLOBAL const int *RESTRICT at,
    GLOBAL float *RESTRICT x, INDEX atX) {
  const INDEX element = (INDEX)GROUP(0) * WG + ITEM(0);
  if (element < (INDEX)m * n) {
    x[atX + element + PLANT_OOB] = gathered(element, n, length, data + atData, rows, at[0]);
  }
}
