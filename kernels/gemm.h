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

#define BM (GY * TM)
#define BN (GX * NV * VW)

/* Whether a work-item multiplies four of the k at once: for small tiles. */
#ifndef DEEP
#define DEEP 0
#endif
#if DEEP
#include "multiply_deep.h"
#else
#include "multiply.h"
#endif

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

/* The end of a tile of  Z = X W' + 1 b',  A = f(Z) : result is that of X W'. */
DEVICE void end_forward(int tileX, int tileY, int m, int n, int f, int keep, VEC (*result)[NV],
                        GLOBAL const float *b, GLOBAL float *z, GLOBAL float *a) {
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

/* A tile of  Z = X W' + 1 b',  A = f(Z) */
DEVICE void forward_tile(int tileX, int tileY, int m, int n, int k, int f, int keep,
                         GLOBAL const float *x, GLOBAL const float *w, GLOBAL const float *b,
                         GLOBAL float *z, GLOBAL float *a,
                         LOCAL_PTR STAGED *tileLeft, LOCAL_PTR STAGED *tileRight) {
  VEC result[TM][NV];
  multiply(0, 1, 0, tileX, tileY, m, n, k, x, w, result, tileLeft, tileRight);
  end_forward(tileX, tileY, m, n, f, keep, result, b, z, a);
}

/* A tile of  E = (D W) (.) f'(saved) */
DEVICE void propagate_tile(int tileX, int tileY, int m, int n, int k, int f,
                           GLOBAL const float *d, GLOBAL const float *w,
                           GLOBAL const float *saved, GLOBAL float *e,
                           LOCAL_PTR STAGED *tileLeft, LOCAL_PTR STAGED *tileRight) {
  VEC result[TM][NV];
  multiply(0, 0, 0, tileX, tileY, m, n, k, d, w, result, tileLeft, tileRight);
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

/* The end of a tile of  dW = D' A : its columns, as far as dW [m x n] has them. */
DEVICE void end_gradient(int tileX, int tileY, int m, int n, VEC (*result)[NV], GLOBAL float *dw) {
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

/* A tile of  dW = D' A */
DEVICE void gradient_tile(int tileX, int tileY, int m, int n, int k, GLOBAL const float *d,
                          GLOBAL const float *a, GLOBAL float *dw,
                          LOCAL_PTR STAGED *tileLeft, LOCAL_PTR STAGED *tileRight) {
  VEC result[TM][NV];
  multiply(1, 0, 0, tileX, tileY, m, n, k, d, a, result, tileLeft, tileRight);
  end_gradient(tileX, tileY, m, n, result, dw);
}

/* A tile of  [dW db] = D' [A 1] , whose columns are n + 1. */
DEVICE void gradients_tile(int tileX, int tileY, int m, int n, int k, GLOBAL const float *d,
                           GLOBAL const float *a, GLOBAL float *dw, GLOBAL float *db,
                           LOCAL_PTR STAGED *tileLeft, LOCAL_PTR STAGED *tileRight) {
  VEC result[TM][NV];
  multiply(1, 0, 1, tileX, tileY, m, n, k, d, a, result, tileLeft, tileRight);
  end_gradient(tileX, tileY, m, n, result, dw);
  UNROLL for (int i = 0; i < TM; i++) {
    const int row = tileY * BM + ITEM(1) * TM + i;
    UNROLL for (int v = 0; v < NV; v++) {
      const int column = tileX * BN + (v * GX + ITEM(0)) * VW;
      float part[VW];
      STORE(result[i][v], part);
      float sum = part[0];
      UNROLL for (int j = 1; j < VW; j++) {
        sum = column + j == n ? part[j] : sum;
      }
      if (row < m && column <= n && n < column + VW) {
        db[row] = sum;
      }
    }
  }
}

#endif
