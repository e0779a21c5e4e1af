/*
 * The gradients of a small layer, both in one product:
 *
 *   gemm_gradients   [dW db] = D' [A 1]      D [k x m]  A [k x n]  dW [m x n]  db [m]
 *
 * dW is summed as by gemm_gradient; db over k from 0 upwards, too. Launch as in gemm.cl, but
 * for n + 1 columns. On an H200 column sums by a launch of their own take 2.6 us, most of it waiting.
 */
#include "gemm.h"

KERNEL(GX, GY) void gemm_gradients(int m, int n, int k,
    GLOBAL const float *RESTRICT d, INDEX atD, GLOBAL const float *RESTRICT a, INDEX atA,
    GLOBAL float *RESTRICT dw, INDEX atDw, GLOBAL float *RESTRICT db, INDEX atDb) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  gradients_tile(GROUP(0), GROUP_LINE, m, n, k, d + atD, a + atA, dw + atDw, db + atDb, tileLeft,
                 tileRight);
}
