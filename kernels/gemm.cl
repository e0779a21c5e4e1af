/*
 * Matrix products, with what follows them fused into their ends. All matrices are row-major.
 *
 *   gemm_forward     Z = X W' + 1 b',  A = f(Z)       X [m x k]  W [n x k]  b [n]  Z, A [m x n]
 *   gemm_propagate   E = (D W) (.) f'(saved)          D [m x k]  W [k x n]  saved, E [m x n]
 *   gemm_gradient    dW = D' A                        D [k x m]  A [k x n]  dW [m x n]
 *
 * Here every result is [m x n], summed over k from 0 upwards: the order is fixed by the tile.
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
 * VW must divide BK for staging, and BM for staging A.
 */
#include "activation.h"
#include "portable.h"

#ifndef GX
#define GX 8
#endif
#ifndef GY
#define GY 8
#endif
#ifndef TM
#define TM 8
#endif
#ifndef NV
#define NV 2
#endif
#ifndef BK
#define BK 16
#endif
#ifndef STAGE_A
#define STAGE_A 1
#endif
#ifndef STAGE_B
#define STAGE_B 1
#endif
/* Keeps the columns of the left tile off each other's memory banks. */
#ifndef PAD
#define PAD VW
#endif

/*
 * n, as a number that seems to differ between work-items. PoCL turns a loop that is the same for
 * all of them inside out: then the sums leave their registers at every step.
 */
#define PER_ITEM(n) ((n) + (ITEM(1) >= GY))

#define BM (GY * TM)
#define BN (GX * NV * VW)
#define PITCH (BM + PAD)

/*
 * Copies the tile t[p][q] = s(from + p, first + q), p < BK, q < width, to local memory, with zeros
 * beyond the matrix s [depth x size]. s lies in memory as it is, or transposed.
 */
DEVICE void stage(const int transposed, const int width, const int pitch, int from, int depth,
                  int first, int size, GLOBAL const float * s, LOCAL_PTR float *tile) {
  const int item = ITEM(1) * GX + ITEM(0);
  const int across = transposed ? BK / VW : width / VW;
  const int lines = transposed ? width : BK;
  for (int i = item; i < lines * across; i += GX * GY) {
    const int p = transposed ? i % across * VW : i / across;
    const int q = transposed ? i / across : i % across * VW;
    const int row = transposed ? first + q : from + p;    /* where they lie in memory */
    const int column = transposed ? from + p : first + q;
    const int rows = transposed ? size : depth;
    const int columns = transposed ? depth : size;
    GLOBAL const float *line = s + (INDEX)row * columns + column;
    if (row < rows && column + VW <= columns) {
      const VEC v = LOAD(line);
      if (transposed) {
        float part[VW];
        STORE(v, part);
        UNROLL for (int j = 0; j < VW; j++) {
          tile[(p + j) * pitch + q] = part[j];
        }
      } else {
        STORE(v, tile + p * pitch + q);
      }
    } else {
      ROLLED for (int j = 0; j < VW; j++) {
        tile[transposed ? (p + j) * pitch + q : p * pitch + q + j] =
            row < rows && column + j < columns ? line[j] : 0.0f;
      }
    }
  }
}

/* The work-item's part of left [m x k] right [k x n], each in memory as it is or transposed. */
DEVICE void multiply(const int transposedLeft, const int transposedRight, int m, int n, int k,
                     GLOBAL const float * left, GLOBAL const float * right,
                     VEC (*result)[NV], LOCAL_PTR VEC *tileLeft, LOCAL_PTR VEC *tileRight) {
#if !STAGE_A
  const int row = GROUP(1) * BM + ITEM(1) * TM;
#endif
#if !STAGE_B
  const int column = GROUP(0) * BN + ITEM(0) * VW;
#endif
  UNROLL for (int i = 0; i < TM; i++) {
    UNROLL for (int v = 0; v < NV; v++) {
      result[i][v] = SPLAT(0.0f);
    }
  }
  for (int from = 0; from < k; from += BK) {
#if STAGE_A
    stage(!transposedLeft, BM, PITCH, from, k, GROUP(1) * BM, m, left,
          (LOCAL_PTR float *)tileLeft);
#endif
#if STAGE_B
    stage(transposedRight, BN, BN, from, k, GROUP(0) * BN, n, right,
          (LOCAL_PTR float *)tileRight);
#endif
#if STAGE_A || STAGE_B
    BARRIER();
#endif
#if STAGE_A && STAGE_B
    const int depth = BK; /* the tiles hold zeros beyond k */
#else
    const int depth = k - from < BK ? k - from : BK;
#endif
    VEC sum[TM][NV]; /* in registers between the barriers */
    UNROLL for (int i = 0; i < TM; i++) {
      UNROLL for (int v = 0; v < NV; v++) {
        sum[i][v] = result[i][v];
      }
    }
    for (int p = 0; p < PER_ITEM(depth); p++) {
      VEC b[NV];
#if STAGE_B
      UNROLL for (int v = 0; v < NV; v++) {
        b[v] = tileRight[p * (BN / VW) + v * GX + ITEM(0)];
      }
#else
      UNROLL for (int v = 0; v < NV; v++) {
        const int at = column + v * GX * VW;
        if (!transposedRight && at + VW <= n) {
          b[v] = LOAD(right + (INDEX)(from + p) * n + at);
        } else {
          float part[VW];
          UNROLL for (int j = 0; j < VW; j++) { /* clamped: what lies beyond is not stored */
            const int c = at + j < n ? at + j : n - 1;
            part[j] = transposedRight ? right[(INDEX)c * k + from + p]
                                      : right[(INDEX)(from + p) * n + c];
          }
          b[v] = LOAD(part);
        }
      }
#endif
      UNROLL for (int i = 0; i < TM; i++) {
#if STAGE_A
        const float a = ((LOCAL_PTR const float *)tileLeft)[p * PITCH + ITEM(1) * TM + i];
#else
        const int r = row + i < m ? row + i : m - 1; /* clamped likewise */
        const float a =
            transposedLeft ? left[(INDEX)(from + p) * m + r] : left[(INDEX)r * k + from + p];
#endif
        UNROLL for (int v = 0; v < NV; v++) {
          sum[i][v] = MULTIPLY_ADD(a, b[v], sum[i][v]);
        }
      }
    }
    UNROLL for (int i = 0; i < TM; i++) {
      UNROLL for (int v = 0; v < NV; v++) {
        result[i][v] = sum[i][v];
      }
    }
#if STAGE_A || STAGE_B
    BARRIER();
#endif
  }
}

/*
 * The sums as an array that a loop may index: the loop's body, an activation, is too long to be
 * unrolled, and indexing the vectors themselves would keep them out of registers all along.
 */
DEVICE void unpack(VEC (*result)[NV], float (*sums)[NV][VW]) {
  UNROLL for (int i = 0; i < TM; i++) {
    UNROLL for (int v = 0; v < NV; v++) {
      STORE(result[i][v], sums[i][v]);
    }
  }
}

#if STAGE_A
#define TILE_LEFT(name) LOCAL VEC name[BK * PITCH / VW]
#else
#define TILE_LEFT(name) LOCAL VEC name[1]
#endif
#if STAGE_B
#define TILE_RIGHT(name) LOCAL VEC name[BK * BN / VW]
#else
#define TILE_RIGHT(name) LOCAL VEC name[1]
#endif

KERNEL(GX, GY) void gemm_forward(int m, int n, int k, int f, int keep,
    GLOBAL const float *RESTRICT x, INDEX atX, GLOBAL const float *RESTRICT w, INDEX atW,
    GLOBAL const float *RESTRICT b, INDEX atB, GLOBAL float *z, INDEX atZ,
    GLOBAL float *a, INDEX atA) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  VEC result[TM][NV];
  multiply(0, 1, m, n, k, x + atX, w + atW, result, tileLeft, tileRight);
  float sums[TM][NV][VW];
  unpack(result, sums);
  ROLLED for (int i = 0; i < TM; i++) {
    const int row = GROUP(1) * BM + ITEM(1) * TM + i;
    ROLLED for (int v = 0; v < NV && row < m; v++) {
      const int column = GROUP(0) * BN + (v * GX + ITEM(0)) * VW;
      ROLLED for (int j = 0; j < VW && column + j < n; j++) {
        const INDEX at = (INDEX)row * n + column + j;
        const float sum = sums[i][v][j] + b[atB + column + j];
        if (keep) {
          z[atZ + at] = sum;
        }
        a[atA + at] = activate(f, sum);
      }
    }
  }
}

KERNEL(GX, GY) void gemm_propagate(int m, int n, int k, int f,
    GLOBAL const float *RESTRICT d, INDEX atD, GLOBAL const float *RESTRICT w, INDEX atW,
    GLOBAL const float *RESTRICT saved, INDEX atSaved, GLOBAL float *RESTRICT e, INDEX atE) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  VEC result[TM][NV];
  multiply(0, 0, m, n, k, d + atD, w + atW, result, tileLeft, tileRight);
  float sums[TM][NV][VW];
  unpack(result, sums);
  ROLLED for (int i = 0; i < TM; i++) {
    const int row = GROUP(1) * BM + ITEM(1) * TM + i;
    ROLLED for (int v = 0; v < NV && row < m; v++) {
      const int column = GROUP(0) * BN + (v * GX + ITEM(0)) * VW;
      ROLLED for (int j = 0; j < VW && column + j < n; j++) {
        const INDEX at = (INDEX)row * n + column + j;
        /* a product, not a choice: 0 times NaN and 0 times infinity are NaN */
        e[atE + at] = sums[i][v][j] * derivative(f, saved[atSaved + at]);
      }
    }
  }
}

KERNEL(GX, GY) void gemm_gradient(int m, int n, int k,
    GLOBAL const float *RESTRICT d, INDEX atD, GLOBAL const float *RESTRICT a, INDEX atA,
    GLOBAL float *RESTRICT dw, INDEX atDw) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  VEC result[TM][NV];
  multiply(1, 0, m, n, k, d + atD, a + atA, result, tileLeft, tileRight);
  UNROLL for (int i = 0; i < TM; i++) {
    const int row = GROUP(1) * BM + ITEM(1) * TM + i;
    UNROLL for (int v = 0; v < NV; v++) {
      const int column = GROUP(0) * BN + (v * GX + ITEM(0)) * VW;
      GLOBAL float *line = dw + atDw + (INDEX)row * n + column;
      if (row < m && column + VW <= n) {
        STORE(result[i][v], line);
      } else if (row < m) {
        float part[VW];
        STORE(result[i][v], part);
        ROLLED for (int j = 0; j < VW && column + j < n; j++) {
          line[j] = part[j];
        }
      }
    }
  }
}
