/*
 * Copies of matrices in the forms that cuBLAS multiplies fastest. X is [m x n].
 *
 *   round_bf16   half = bf16(X)                  half [rows x n] in rows of pitch
 *   turn         t = X'                          t [n x m]
 *   crop         X = the first columns of P      P [m x n] in rows of pitch
 *
 * The rows of half beyond m are zeros. Launch: one work-item for VW numbers of the copy, of X for
 * crop, groups of WG; but turn in groups of TX by WG / TX work-items, ceil(m / TX) by ceil(n / TX)
 * groups. Memory alone counts: 6 bytes a number for a copy in bf16, 8 for the others. turn's tiles pass
 * through local memory, so that both sides are read and written as lines.
 */
#include "bf16.h"

#define TX 32

KERNEL(WG, 1) void round_bf16(int m, int n, int rows, int pitch, const float *RESTRICT x,
    INDEX atX, HALF *RESTRICT half) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  const INDEX row = i / pitch;
  const int column = (int)(i - row * pitch);
  if (row < rows) {
    const int left = row < m ? n - column : 0;
    float part[VW];
    read_up_to(left, x + atX + row * n + column, part);
    write_halves(left, part, half + i);
  }
}

KERNEL(WG, 1) void crop(int m, int n, int pitch, const float *RESTRICT p, float *RESTRICT x,
    INDEX atX) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  const INDEX row = i / n;
  const int column = (int)(i - row * n);
  float part[VW];
  UNROLL for (int j = 0; j < VW; j++) {
    const int below = (column + j) / n;
    part[j] = row + below < m ? p[(row + below) * pitch + column + j - below * n] : 0.0f;
  }
  write_up_to((INDEX)m * n - i, part, x + atX + i);
}

KERNEL(TX, WG / TX) void turn(int m, int n, const float *RESTRICT x, INDEX atX,
    float *RESTRICT t) {
  LOCAL float tile[TX * (TX + 1)];
  UNROLL for (int line = 0; line < TX; line += WG / TX) {
    const INDEX row = (INDEX)GROUP(0) * TX + line + ITEM(1);
    const int column = GROUP_LINE * TX + ITEM(0);
    tile[(line + ITEM(1)) * (TX + 1) + ITEM(0)] =
        row < m && column < n ? x[atX + row * n + column] : 0.0f;
  }
  BARRIER();
  UNROLL for (int line = 0; line < TX; line += WG / TX) {
    const INDEX row = (INDEX)GROUP_LINE * TX + line + ITEM(1);
    const INDEX column = (INDEX)GROUP(0) * TX + ITEM(0);
    if (row < n && column < m) {
      t[row * m + column] = tile[ITEM(0) * (TX + 1) + line + ITEM(1)];
    }
  }
}
