/*
 * A weight gradient whose result has too few tiles to keep a device busy, of a batch that is tall:
 *
 *   gemm_gradient_chunks   P_c = D_c' A_c      rows c depth to (c + 1) depth of D [k x m] and A [k x n]
 *
 * P is [chunks x m n]; the sum of its rows, by column_sums, is dW. Within a chunk sums are those of
 * gemm_gradient. Launch: as gemm_gradient, the lines of tiles of each chunk after those before it.
 */
#include "gemm.h"

KERNEL(GX, GY) void gemm_gradient_chunks(int m, int n, int k, int depth,
    GLOBAL const float *RESTRICT d, INDEX atD, GLOBAL const float *RESTRICT a, INDEX atA,
    GLOBAL float *RESTRICT p) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  const int lines = (m + BM - 1) / BM;
  const int chunk = GROUP_LINE / lines;
  const int first = chunk * depth;
  gradient_tile(GROUP(0), GROUP_LINE - chunk * lines, m, n, k - first < depth ? k - first : depth,
                d + atD + (INDEX)first * m, a + atA + (INDEX)first * n, p + (INDEX)chunk * m * n,
                tileLeft, tileRight);
}
