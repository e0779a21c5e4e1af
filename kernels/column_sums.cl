/*
 * The bias gradient  db = D' 1:  db_j = sum_i d_ij      D [m x n], db [n]
 *
 * Launch: groups of CX by CY work-items, ceil(n / CX) by chunks groups. A group adds CX columns of a
 * chunk of the rows; its item (x, y) every CY-th row of column x from row y on, and the CY sums are
 * added as a tree. With several chunks the result is [chunks x n], whose column sums are db.
 */
#include "column_sums.h"

KERNEL(CX, CY) void column_sums(int m, int n, GLOBAL const float *RESTRICT d, INDEX atD,
    GLOBAL float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  column_sums_of(GROUP(0) * CX, GROUP(1), GROUPS(1), m, n, d + atD, shared,
                 db + atDb + (INDEX)GROUP(1) * n);
}
