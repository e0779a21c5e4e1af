/*
 * A layer of one unit:
 *
 *   unit_forward   Z = X w + b,  A = f(Z)      X [m x k]  w [k]  b [1]  Z, A [m]
 *
 * X is read as floats, rounded to bf16 if round is not 0, or, if half is not null, as its copy in
 * bf16, in rows of pitch: the numbers are the same. Z is written only if keep is not 0.
 *
 * Launch: groups of WG, a warp for each row. Its lanes share out the k by fours (VW), and their sums
 * are added as a tree. Memory and waiting alone count: on an H200, 256 x 1024, a rounding of w, a
 * product of cuBLAS and bias_activation take 9 us, this 4.
 */
#include "activation.h"
#include "bf16.h"

#define WARP 32
#define LOADS 4 /* fours on their way */

/* Four neighbours of a row of X from column on; zeros beyond. */
DEVICE void read_inputs(INDEX k, INDEX column, int round, const float *x, const HALF *half,
                        float *part) {
  if (half) {
    HALVES halves;
    UNROLL for (int j = 0; j < VW; j++) {
      halves.part[j] = 0;
    }
    if (column < k) {
      halves = *(const HALVES *)(half + column);
    }
    UNROLL for (int j = 0; j < VW; j++) {
      part[j] = widened(halves.part[j]);
    }
  } else {
    read_up_to(k - column, x + column, part);
    if (round) {
      UNROLL for (int j = 0; j < VW; j++) {
        part[j] = widened(rounded(part[j]));
      }
    }
  }
}

KERNEL(WG, 1) void unit_forward(int m, int k, int f, int keep, int round, int pitch,
    const float *RESTRICT x, INDEX atX, const HALF *RESTRICT half,
    const float *RESTRICT w, INDEX atW, const float *RESTRICT b, INDEX atB,
    float *z, INDEX atZ, float *a, INDEX atA) {
  const INDEX row = (INDEX)GROUP(0) * (WG / WARP) + group_item() / WARP;
  const int lane = group_item() % WARP;
  if (row >= m) {
    return;
  }
  const float *line = x + atX + row * k;
  const HALF *halfLine = half ? half + row * pitch : 0;
  float sum = 0.0f;
  for (INDEX from = lane * VW; from < k; from += LOADS * WARP * VW) {
    float inputs[LOADS][VW], weights[LOADS][VW];
    UNROLL for (int i = 0; i < LOADS; i++) {
      const INDEX column = from + i * WARP * VW;
      read_inputs(k, column, round, line, halfLine, inputs[i]);
      read_up_to(k - column, w + atW + column, weights[i]);
    }
    UNROLL for (int i = 0; i < LOADS; i++) {
      UNROLL for (int j = 0; j < VW; j++) {
        sum = fmaf(inputs[i][j], weights[i][j], sum);
      }
    }
  }
  UNROLL for (int step = WARP / 2; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, step);
  }
  if (lane == 0) {
    sum += b[atB];
    if (keep) {
      z[atZ + row] = sum;
    }
    a[atA + row] = activate(f, sum);
  }
}
