/*
 * Matrix products, with what follows them fused into their ends. All matrices are row-major.
 *
 *   gemm_forward     Z = X W' + 1 b',  A = f(Z)       X [m x k]  W [n x k]  b [n]  Z, A [m x n]
 *   gemm_propagate   E = (D W) (.) f'(saved)          D [m x k]  W [k x n]  saved, E [m x n]
 *   gemm_gradient    dW = D' A                        D [k x m]  A [k x n]  dW [m x n]
 *
 * Here every result is [m x n], summed over k from 0 upwards, in that order whatever the tile.
 * Launch: groups of GX by GY work-items, ceil(n / BN) by ceil(m / BM) groups. A group computes a
 * BM x BN tile of the result; a work-item TM rows of it by NV vectors of VW columns, GX VW apart:
 *
 *                     BN = GX NV VW
 *                 +-------------------+
 *                 |  right  BK deep   |      the factors pass through local memory, BK deep,
 *                 +-------------------+      where STAGE_A and STAGE_B say so
 *       +------+  +---+----+---+----+-+
 *   BM  | left |  |   |x, y|   |x, y| | TM
 *       +------+  +---+----+---+----+-+
 *
 * That is multiply.h, where VW must divide BK for staging, and BM for staging A; multiply_deep.h is
 * for small tiles (DEEP).
 */
#include "gemm.h"

KERNEL(GX, GY) void gemm_forward(int m, int n, int k, int f, int keep,
    GLOBAL const float *RESTRICT x, INDEX atX, GLOBAL const float *RESTRICT w, INDEX atW,
    GLOBAL const float *RESTRICT b, INDEX atB, GLOBAL float *z, INDEX atZ,
    GLOBAL float *a, INDEX atA) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  forward_tile(GROUP(0), GROUP_LINE, m, n, k, f, keep, x + atX, w + atW, b + atB, z + atZ, a + atA,
               tileLeft, tileRight);
}

KERNEL(GX, GY) void gemm_propagate(int m, int n, int k, int f,
    GLOBAL const float *RESTRICT d, INDEX atD, GLOBAL const float *RESTRICT w, INDEX atW,
    GLOBAL const float *RESTRICT saved, INDEX atSaved, GLOBAL float *RESTRICT e, INDEX atE) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  propagate_tile(GROUP(0), GROUP_LINE, m, n, k, f, d + atD, w + atW, saved + atSaved, e + atE,
                 tileLeft, tileRight);
}

KERNEL(GX, GY) void gemm_gradient(int m, int n, int k,
    GLOBAL const float *RESTRICT d, INDEX atD, GLOBAL const float *RESTRICT a, INDEX atA,
    GLOBAL float *RESTRICT dw, INDEX atDw) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  gradient_tile(GROUP(0), GROUP_LINE, m, n, k, d + atD, a + atA, dw + atDw, tileLeft, tileRight);
}
