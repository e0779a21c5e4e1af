/*
 * The bf16 copies that the products of precision bf16 read.
 *
 *   round_bf16    half = bf16(x)                                 x, half [count]
 *   gather_bf16   x_ij = data[rows[at][i]][j], half = bf16(X)    as in gather.cl; X, half [m x n]
 *
 * Launch: one work-item for VW numbers, groups of WG.
 * Memory alone counts: 6 bytes a number for a copy, 10 for a gathered one instead of 14 by two
 * launches.
 */
#include "bf16.h"
#include "gather.h"

KERNEL(WG, 1) void round_bf16(INDEX count, const float *RESTRICT x, INDEX atX,
    HALF *RESTRICT half, INDEX atHalf) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  float part[VW];
  read_up_to(count - i, x + atX + i, part);
  write_halves(count - i, part, half + atHalf + i);
}

KERNEL(WG, 1) void gather_bf16(int m, int n, int length, const float *RESTRICT data, INDEX atData,
    const int *RESTRICT rows, const int *RESTRICT at, float *RESTRICT x, INDEX atX,
    HALF *RESTRICT half, INDEX atHalf) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  const INDEX left = (INDEX)m * n - i;
  float part[VW];
  gather_up_to(left, i, n, data + atData, rows + (INDEX)at[0] * length, part);
  write_up_to(left, part, x + atX + i);
  write_halves(left, part, half + atHalf + i);
}
