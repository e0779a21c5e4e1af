/*
 * The product of a tile: the factors pass through local memory, BK deep, where STAGE_A (left) and
 * STAGE_B (right) say so, as rows of neighbours along the result's side. gemm.cl has the drawing.
 */
#ifndef DELTARULE_MULTIPLY_H
#define DELTARULE_MULTIPLY_H

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

typedef VEC STAGED;

#define PITCH_LEFT (BM + PAD)
#define PITCH_RIGHT (BN + PAD)

#if STAGE_A
#define TILE_LEFT(name) LOCAL STAGED name[BK * PITCH_LEFT / VW]
#else
#define TILE_LEFT(name) LOCAL STAGED name[1]
#endif
#if STAGE_B
#define TILE_RIGHT(name) LOCAL STAGED name[BK * PITCH_RIGHT / VW]
#else
#define TILE_RIGHT(name) LOCAL STAGED name[1]
#endif

/*
 * Where vector i of a staged tile t[p][q], p < BK, q < width, begins. s [depth x size] lies in
 * memory as it is, or transposed; the vector's numbers are neighbours there.
 */
DEVICE int depth_of(const int transposed, const int width, int i) {
  return transposed ? i % (BK / VW) * VW : i / (width / VW);
}
DEVICE int side_of(const int transposed, const int width, int i) {
  return transposed ? i / (BK / VW) : i % (width / VW) * VW;
}

/*
 * Vector i of the tile t[p][q] = s(from + p, first + q), with zeros beyond the matrix; but with ones,
 * of a factor as it is, the column behind the last is one of ones.
 */
DEVICE VEC fetched(const int transposed, const int ones, const int width, int i, int from, int depth,
                   int first, int size, GLOBAL const float *s) {
  const int p = from + depth_of(transposed, width, i);
  const int q = first + side_of(transposed, width, i);
  const int row = transposed ? q : p;
  const int column = transposed ? p : q;
  const int rows = transposed ? size : depth;
  const int columns = transposed ? depth : size;
  GLOBAL const float *line = s + (INDEX)row * columns + column;
  if (row < rows && column + VW <= columns) {
    return READ(line);
  }
  float part[VW];
  UNROLL for (int j = 0; j < VW; j++) {
    part[j] = row < rows && column + j < columns ? line[j] : 0.0f;
    if (ones && row < rows && column + j == columns) {
      part[j] = 1.0f;
    }
  }
  return LOAD(part);
}

/* Copies vector i to the tile in local memory. */
DEVICE void put(const VEC v, const int transposed, const int width, const int pitch, int i,
                LOCAL_PTR float *tile) {
  LOCAL_PTR float *to =
      tile + depth_of(transposed, width, i) * pitch + side_of(transposed, width, i);
  if (transposed) {
    float part[VW];
    STORE(v, part);
    UNROLL for (int j = 0; j < VW; j++) {
      to[j * pitch] = part[j];
    }
  } else {
    STORE(v, to);
  }
}

#if PREFETCH
/* The vectors of a staged tile that are one work-item's to copy. */
#define SHARE(width) ((BK * (width) / VW + GX * GY - 1) / (GX * GY))

/* Whether vector c of the work-item is one of the tile's. */
DEVICE int shares(const int width, int c) {
  return width * BK / VW % (GX * GY) == 0 || c * GX * GY + group_item() < width * BK / VW;
}

/* Fetches the work-item's share of a tile: all loads are on their way before the first is used. */
DEVICE void fetch(const int transposed, const int ones, const int width, int from, int depth,
                  int first, int size, GLOBAL const float *s, VEC *share) {
  UNROLL for (int c = 0; c < SHARE(width); c++) {
    if (shares(width, c)) {
      share[c] =
          fetched(transposed, ones, width, c * GX * GY + group_item(), from, depth, first, size, s);
    }
  }
}

DEVICE void stage(const VEC *share, const int transposed, const int width, const int pitch,
                  LOCAL_PTR STAGED *tile) {
  UNROLL for (int c = 0; c < SHARE(width); c++) {
    if (shares(width, c)) {
      put(share[c], transposed, width, pitch, c * GX * GY + group_item(),
          (LOCAL_PTR float *)tile);
    }
  }
}
#else
/* Copies the work-item's share of a tile to local memory. */
DEVICE void copy(const int transposed, const int ones, const int width, const int pitch, int from,
                 int depth, int first, int size, GLOBAL const float *s, LOCAL_PTR STAGED *tile) {
  for (int i = group_item(); i < width * BK / VW; i += GX * GY) {
    put(fetched(transposed, ones, width, i, from, depth, first, size, s), transposed, width, pitch, i,
        (LOCAL_PTR float *)tile);
  }
}
#endif

/*
 * The work-item's part of left [m x k] right [k x n], each in memory as it is or transposed; with
 * ones, right, as it is, has a column of ones more. Each result is one chain of MULTIPLY_ADD from the
 * first of the k upwards, whatever the tile. With PREFETCH the next BK of the k are on their way while
 * these are multiplied.
 */
DEVICE void multiply(const int transposedLeft, const int transposedRight, const int ones, int tileX,
                     int tileY, int m, int n, int k, GLOBAL const float *left, GLOBAL const float *right,
                     VEC (*result)[NV], LOCAL_PTR STAGED *tileLeft, LOCAL_PTR STAGED *tileRight) {
  const int row = tileY * BM;
  const int column = tileX * BN;
#if STAGE_A && PREFETCH
  VEC shareLeft[SHARE(BM)];
#endif
#if STAGE_B && PREFETCH
  VEC shareRight[SHARE(BN)];
#endif
  UNROLL for (int i = 0; i < TM; i++) {
    UNROLL for (int v = 0; v < NV; v++) {
      result[i][v] = SPLAT(0.0f);
    }
  }
  for (int from = 0; from < k; from += BK) {
#if STAGE_A && PREFETCH
    if (from == 0) {
      fetch(!transposedLeft, 0, BM, 0, k, row, m, left, shareLeft);
    }
    stage(shareLeft, !transposedLeft, BM, PITCH_LEFT, tileLeft);
#elif STAGE_A
    copy(!transposedLeft, 0, BM, PITCH_LEFT, from, k, row, m, left, tileLeft);
#endif
#if STAGE_B && PREFETCH
    if (from == 0) {
      fetch(transposedRight, ones, BN, 0, k, column, n, right, shareRight);
    }
    stage(shareRight, transposedRight, BN, PITCH_RIGHT, tileRight);
#elif STAGE_B
    copy(transposedRight, ones, BN, PITCH_RIGHT, from, k, column, n, right, tileRight);
#endif
#if STAGE_A || STAGE_B
    BARRIER();
#endif
#if STAGE_A && PREFETCH
    fetch(!transposedLeft, 0, BM, from + BK, k, row, m, left, shareLeft);
#endif
#if STAGE_B && PREFETCH
    fetch(transposedRight, ones, BN, from + BK, k, column, n, right, shareRight);
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
        const int at = column + (v * GX + ITEM(0)) * VW;
        if (!transposedRight && at + VW <= n) {
          b[v] = LOAD(right + (INDEX)(from + p) * n + at);
        } else {
          float part[VW];
          UNROLL for (int j = 0; j < VW; j++) { /* clamped: what lies beyond is not stored */
            const int c = at + j < n ? at + j : n - 1;
            part[j] = transposedRight ? right[(INDEX)c * k + from + p]
                                      : right[(INDEX)(from + p) * n + c];
            if (ones && at + j == n) {
              part[j] = 1.0f;
            }
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
        const int at = row + ITEM(1) * TM + i;
        const int r = at < m ? at : m - 1; /* clamped likewise */
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

#endif
