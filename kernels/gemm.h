/*
 * One tile of a matrix product, and the three products that end in it; gemm.cl has the shapes and
 * the drawing. All work-items of a group call these functions together, for the tile in line
 * tileY and column tileX of the result's tiles.
 */
#ifndef DELTARULE_GEMM_H
#define DELTARULE_GEMM_H
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
/* Keeps the columns of the staged tiles off each other's memory banks. */
#ifndef PAD
#define PAD VW
#endif

#define BM (GY * TM)
#define BN (GX * NV * VW)
#define PITCH_LEFT (BM + PAD)
#define PITCH_RIGHT (BN + PAD)

#if STAGE_A
#define TILE_LEFT(name) LOCAL VEC name[BK * PITCH_LEFT / VW]
#else
#define TILE_LEFT(name) LOCAL VEC name[1]
#endif
#if STAGE_B
#define TILE_RIGHT(name) LOCAL VEC name[BK * PITCH_RIGHT / VW]
#else
#define TILE_RIGHT(name) LOCAL VEC name[1]
#endif

/*
 * Copies the tile t[p][q] = s(from + p, first + q), p < BK, q < width, to local memory, with zeros
 * beyond the matrix s [depth x size]. s lies in memory as it is, or transposed.
 */
DEVICE void stage(const int transposed, const int width, const int pitch, int from, int depth,
                  int first, int size, GLOBAL const float *s, LOCAL_PTR float *tile) {
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
      const VEC v = READ(line);
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

/*
 * The work-item's part of left [m x k] right [k x n], each in memory as it is or transposed. Each
 * result is one chain of MULTIPLY_ADD from the first of the k upwards, whatever the tile.
 */
DEVICE void multiply(const int transposedLeft, const int transposedRight, int tileX, int tileY,
                     int m, int n, int k, GLOBAL const float *left, GLOBAL const float *right,
                     VEC (*result)[NV], LOCAL_PTR VEC *tileLeft, LOCAL_PTR VEC *tileRight) {
#if !STAGE_A
  const int row = tileY * BM + ITEM(1) * TM;
#endif
#if !STAGE_B
  const int column = tileX * BN + ITEM(0) * VW;
#endif
  UNROLL for (int i = 0; i < TM; i++) {
    UNROLL for (int v = 0; v < NV; v++) {
      result[i][v] = SPLAT(0.0f);
    }
  }
  for (int from = 0; from < k; from += BK) {
#if STAGE_A
    stage(!transposedLeft, BM, PITCH_LEFT, from, k, tileY * BM, m, left,
          (LOCAL_PTR float *)tileLeft);
#endif
#if STAGE_B
    stage(transposedRight, BN, PITCH_RIGHT, from, k, tileX * BN, n, right,
          (LOCAL_PTR float *)tileRight);
#endif
#if STAGE_A || STAGE_B
    BARRIER();
#endif
    const int depth = k - from < BK ? k - from : BK;
    VEC sum[TM][NV]; /* in registers between the barriers */
    UNROLL for (int i = 0; i < TM; i++) {
      UNROLL for (int v = 0; v < NV; v++) {
        sum[i][v] = result[i][v];
      }
    }
    PARTLY_UNROLLED for (int p = 0; p < PER_ITEM(depth, GY); p++) {
      VEC b[NV];
#if STAGE_B
      UNROLL for (int v = 0; v < NV; v++) {
        b[v] = tileRight[p * (PITCH_RIGHT / VW) + v * GX + ITEM(0)];
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
        const float a =
            ((LOCAL_PTR const float *)tileLeft)[p * PITCH_LEFT + ITEM(1) * TM + i];
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
 * Takes the first vector of the results and moves the others up. What follows a product, an
 * activation, is too long to be unrolled for each of them, and a loop that indexed them would keep
 * them out of registers.
 */
DEVICE VEC take(VEC (*result)[NV]) {
  const VEC first = result[0][0];
  UNROLL for (int i = 1; i < TM * NV; i++) {
    result[(i - 1) / NV][(i - 1) % NV] = result[i / NV][i % NV];
  }
  return first;
}

/* A tile of  Z = X W' + 1 b',  A = f(Z) */
DEVICE void forward_tile(int tileX, int tileY, int m, int n, int k, int f, int keep,
                         GLOBAL const float *x, GLOBAL const float *w, GLOBAL const float *b,
                         GLOBAL float *z, GLOBAL float *a,
                         LOCAL_PTR VEC *tileLeft, LOCAL_PTR VEC *tileRight) {
  VEC result[TM][NV];
  multiply(0, 1, tileX, tileY, m, n, k, x, w, result, tileLeft, tileRight);
  ROLLED for (int i = 0; i < TM * NV; i++) {
    float sums[VW];
    STORE(take(result), sums);
    const int row = tileY * BM + ITEM(1) * TM + i / NV;
    const int column = tileX * BN + (i % NV * GX + ITEM(0)) * VW;
    UNROLL for (int j = 0; j < VW; j++) {
      if (row < m && column + j < n) {
        const INDEX at = (INDEX)row * n + column + j;
        const float sum = sums[j] + b[column + j];
        if (keep) {
          z[at] = sum;
        }
        a[at] = activate(f, sum);
      }
    }
  }
}

/* A tile of  E = (D W) (.) f'(saved) */
DEVICE void propagate_tile(int tileX, int tileY, int m, int n, int k, int f,
                           GLOBAL const float *d, GLOBAL const float *w,
                           GLOBAL const float *saved, GLOBAL float *e,
                           LOCAL_PTR VEC *tileLeft, LOCAL_PTR VEC *tileRight) {
  VEC result[TM][NV];
  multiply(0, 0, tileX, tileY, m, n, k, d, w, result, tileLeft, tileRight);
  ROLLED for (int i = 0; i < TM * NV; i++) {
    float sums[VW];
    STORE(take(result), sums);
    const int row = tileY * BM + ITEM(1) * TM + i / NV;
    const int column = tileX * BN + (i % NV * GX + ITEM(0)) * VW;
    UNROLL for (int j = 0; j < VW; j++) {
      if (row < m && column + j < n) {
        const INDEX at = (INDEX)row * n + column + j;
        /* a product, not a choice: 0 times NaN and 0 times infinity are NaN */
        e[at] = sums[j] * derivative(f, saved[at]);
      }
    }
  }
}

/* A tile of  dW = D' A */
DEVICE void gradient_tile(int tileX, int tileY, int m, int n, int k, GLOBAL const float *d,
                          GLOBAL const float *a, GLOBAL float *dw,
                          LOCAL_PTR VEC *tileLeft, LOCAL_PTR VEC *tileRight) {
  VEC result[TM][NV];
  multiply(1, 0, tileX, tileY, m, n, k, d, a, result, tileLeft, tileRight);
  UNROLL for (int i = 0; i < TM; i++) {
    const int row = tileY * BM + ITEM(1) * TM + i;
    UNROLL for (int v = 0; v < NV; v++) {
      const int column = tileX * BN + (v * GX + ITEM(0)) * VW;
      GLOBAL float *line = dw + (INDEX)row * n + column;
      if (row < m && column + VW <= n) {
        WRITE(result[i][v], line);
      } else if (row < m) {
        float part[VW];
        STORE(result[i][v], part);
        UNROLL for (int j = 0; j < VW; j++) {
          if (column + j < n) {
            line[j] = part[j];
          }
        }
      }
    }
  }
}

#endif
