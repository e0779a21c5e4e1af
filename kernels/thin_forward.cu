/*
 * A layer of few units:
 *
 *   thin_forward   Z = X W' + 1 b',  A = f(Z)      X [m x k]  W [n x k]  b [n]  Z, A [m x n],  n <= 16
 *
 * X is read as floats, rounded to bf16 if round is not 0, or, if half is not null, as its copy in
 * bf16, in rows of pitch: the numbers are the same. Z is written only if keep is not 0.
 *
 * Launch: groups of WG; each warp has ROWS rows: several spare the reading of W for each. The lanes of
 * a warp share out a row's k by fours (VW), and their sums are added as a tree. Memory and waiting
 * alone count: on an H200, 256 x 1024 to one unit, a rounding of W, a product of cuBLAS and
 * bias_activation take 9 us, this 5.
 */
#include "activation.h"
#include "bf16.h"

#define WARP 32

/* The most units that there may be, a warp's rows, and how many fours of each are on their way. */
#ifndef UNITS
#define UNITS 16
#endif
#define ROWS (UNITS == 1 ? 1 : 2)
#define LOADS (UNITS == 1 ? 4 : 1)

/* What the kernel is given. */
struct Layer {
  int m, n, k, f, keep, round, pitch;
  const float *x;
  const HALF *half;
  const float *w, *b;
  float *z, *a;
};

/* Four neighbours of row i of X from column on; zeros beyond. */
DEVICE void read_inputs(const Layer &s, INDEX i, int column, float *part) {
  if (s.half) {
    HALVES halves;
    UNROLL for (int j = 0; j < VW; j++) {
      halves.part[j] = 0;
    }
    if (column < s.k && i < s.m) {
      halves = *(const HALVES *)(s.half + i * s.pitch + column);
    }
    UNROLL for (int j = 0; j < VW; j++) {
      part[j] = widened(halves.part[j]);
    }
  } else {
    read_up_to(i < s.m ? s.k - column : 0, s.x + i * s.k + column, part);
    if (s.round) {
      UNROLL for (int j = 0; j < VW; j++) {
        part[j] = widened(rounded(part[j]));
      }
    }
  }
}

/* A warp's rows from first on. */
DEVICE void rows_of(const Layer &s, INDEX first) {
  const int lane = group_item() % WARP;
  float sums[ROWS][UNITS];
  UNROLL for (int r = 0; r < ROWS; r++) {
    UNROLL for (int p = 0; p < UNITS; p++) {
      sums[r][p] = 0.0f;
    }
  }
  for (int from = lane * VW; from < s.k; from += LOADS * WARP * VW) {
    float inputs[LOADS][ROWS][VW];
    UNROLL for (int i = 0; i < LOADS; i++) {
      UNROLL for (int r = 0; r < ROWS; r++) {
        read_inputs(s, first + r, from + i * WARP * VW, inputs[i][r]);
      }
    }
    UNROLL for (int i = 0; i < LOADS; i++) {
      const int column = from + i * WARP * VW;
      float weights[UNITS][VW];
      UNROLL for (int p = 0; p < UNITS; p++) {
        read_up_to(p < s.n ? s.k - column : 0, s.w + (INDEX)p * s.k + column, weights[p]);
      }
      UNROLL for (int p = 0; p < UNITS; p++) {
        UNROLL for (int r = 0; r < ROWS; r++) {
          UNROLL for (int j = 0; j < VW; j++) {
            sums[r][p] = fmaf(inputs[i][r][j], weights[p][j], sums[r][p]);
          }
        }
      }
    }
  }
  UNROLL for (int r = 0; r < ROWS; r++) {
    float own = 0.0f; /* lane p keeps the sum of unit p */
    UNROLL for (int p = 0; p < UNITS; p++) {
      if (p < s.n) {
        UNROLL for (int step = WARP / 2; step > 0; step /= 2) {
          sums[r][p] += __shfl_xor_sync(0xffffffffu, sums[r][p], step);
        }
        own = lane == p ? sums[r][p] : own;
      }
    }
    if (lane < s.n && first + r < s.m) {
      const INDEX at = (first + r) * s.n + lane;
      const float z = own + s.b[lane];
      if (s.keep) {
        s.z[at] = z;
      }
      s.a[at] = activate(s.f, z);
    }
  }
}

KERNEL(WG, 1) void thin_forward(int m, int n, int k, int f, int keep, int round, int pitch,
    const float *RESTRICT x, INDEX atX, const HALF *RESTRICT half,
    const float *RESTRICT w, INDEX atW, const float *RESTRICT b, INDEX atB,
    float *z, INDEX atZ, float *a, INDEX atA) {
  const Layer layer = {m, n, k, f, keep, round, pitch, x + atX, half, w + atW, b + atB, z + atZ,
                       a + atA};
  const INDEX warp = (INDEX)GROUP(0) * (WG / WARP) + group_item() / WARP;
  rows_of(layer, warp * ROWS);
}
