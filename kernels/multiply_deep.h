/*
 * The product of a small tile, whose time goes to waiting: for memory, and for local memory. Both
 * factors lie in local memory as lines along k, so that one access brings four of the k of a row or
 * column: half the accesses of multiply.h, where a small tile has a number or two for each. The next
 * BK of the k are on their way, in registers, while these are multiplied, and there are two buffers,
 * so that one barrier serves BK of the k. For CUDA; VW is 1.
 */
#ifndef DELTARULE_MULTIPLY_DEEP_H
#define DELTARULE_MULTIPLY_DEEP_H

#define FOURS (BK / 4)
#define LINE (FOURS + 1) /* odd: the lines of neighbours begin in other memory banks */

struct __align__(16) STAGED { /* four neighbours along k */
  float part[4];
};

#define TILE_LEFT(name) LOCAL STAGED name[2 * BM * LINE]
#define TILE_RIGHT(name) LOCAL STAGED name[2 * BN * LINE]

/* The fours of a staged tile that are one work-item's to copy. */
#define SHARE(width) (((width) * FOURS + GX * GY - 1) / (GX * GY))

/*
 * Where a work-item's c-th four of a tile t[p][q], q < width, lies. Work-items that are neighbours
 * take neighbours in memory: along q, or along k where the factor is transposed.
 */
DEVICE int four_of(const int transposed, const int width, int c) {
  const int i = c * GX * GY + group_item();
  return transposed ? i % FOURS : i / width;
}
DEVICE int line_of(const int transposed, const int width, int c) {
  const int i = c * GX * GY + group_item();
  return transposed ? i / FOURS : i % width;
}
DEVICE int shares(const int width, int c) {
  return width * FOURS % (GX * GY) == 0 || c * GX * GY + group_item() < width * FOURS;
}

DEVICE int at_most(int i, int last) {
  return i < last ? i : last;
}

/*
 * Fetches the work-item's share of the tile t[p][q] = s(from + p, first + q). s [depth x size] lies
 * in memory as it is, or transposed; then line q is line rows[q] of the memory, if rows is not null,
 * and its fours are aligned or not. No branch keeps a load from those before it: beyond the matrix
 * its last numbers are fetched, of which nothing is stored; but with ones, of a factor as it is,
 * the column behind the last is one of ones.
 */
DEVICE void fetch(const int transposed, const int ones, const int width, int from, int depth,
                  int first, int size, const float *s, const int *rows, int aligned,
                  STAGED *share) {
  UNROLL for (int c = 0; c < SHARE(width); c++) {
    const int p = from + 4 * four_of(transposed, width, c);
    const int wanted = first + line_of(transposed, width, c);
    const int q = at_most(wanted, size - 1);
    if (transposed) {
      const float *line = s + (INDEX)(rows ? rows[q] : q) * depth;
      if (aligned) {
        share[c] = *(const STAGED *)(line + at_most(p, depth - 4));
      } else {
        UNROLL for (int j = 0; j < 4; j++) {
          share[c].part[j] = line[at_most(p + j, depth - 1)];
        }
      }
    } else {
      UNROLL for (int j = 0; j < 4; j++) {
        const float number = s[(INDEX)at_most(p + j, depth - 1) * size + q];
        share[c].part[j] = ones && wanted == size ? 1.0f : number;
      }
    }
  }
}

/* Whether the lines of a transposed factor are whole fours, which one access fetches. */
DEVICE int fours(const int transposed, int depth, const float *s) {
  return transposed && depth % 4 == 0 && (INDEX)s % sizeof(STAGED) == 0;
}

DEVICE void stage(const STAGED *share, const int transposed, const int width, STAGED *tile) {
  UNROLL for (int c = 0; c < SHARE(width); c++) {
    if (shares(width, c)) {
      tile[line_of(transposed, width, c) * LINE + four_of(transposed, width, c)] = share[c];
    }
  }
}

/* Adds the products of up to four of the k, in their order: zeros added would lose a -0. */
DEVICE void add_products(int count, const STAGED *a, const STAGED *b, VEC (*result)[NV]) {
  STAGED right[NV];
  UNROLL for (int v = 0; v < NV; v++) {
    right[v] = b[v * GX * LINE];
  }
  UNROLL for (int i = 0; i < TM; i++) {
    const STAGED left = a[i * LINE];
    UNROLL for (int j = 0; j < 4; j++) {
      if (j < count) {
        UNROLL for (int v = 0; v < NV; v++) {
          result[i][v].part[0] = fmaf(left.part[j], right[v].part[j], result[i][v].part[0]);
        }
      }
    }
  }
}

/*
 * The work-item's part of left [m x k] right [k x n], each in memory as it is or transposed; if rows
 * is not null, row i of left is row rows[i] in memory; with ones, right has a column of ones more.
 * Each result is one chain of MULTIPLY_ADD from the first of the k upwards, as in multiply.h.
 */
DEVICE void multiply_rows(const int transposedLeft, const int transposedRight, const int ones,
                          int tileX, int tileY, int m, int n, int k, const float *left,
                          const int *rows,
                          const float *right, VEC (*result)[NV], STAGED *tileLeft,
                          STAGED *tileRight) {
  const int row = tileY * BM;
  const int column = tileX * BN;
  STAGED shareLeft[SHARE(BM)], shareRight[SHARE(BN)];
  UNROLL for (int i = 0; i < TM; i++) {
    UNROLL for (int v = 0; v < NV; v++) {
      result[i][v] = SPLAT(0.0f);
    }
  }
  const int foursLeft = fours(!transposedLeft, k, left);
  const int foursRight = fours(transposedRight, k, right);
  if (k > 0) {
    fetch(!transposedLeft, 0, BM, 0, k, row, m, left, rows, foursLeft, shareLeft);
    fetch(transposedRight, ones, BN, 0, k, column, n, right, 0, foursRight, shareRight);
  }
  for (int from = 0; from < k; from += BK) {
    STAGED *linesLeft = tileLeft + from / BK % 2 * (BM * LINE);
    STAGED *linesRight = tileRight + from / BK % 2 * (BN * LINE);
    stage(shareLeft, !transposedLeft, BM, linesLeft);
    stage(shareRight, transposedRight, BN, linesRight);
    BARRIER();
    if (from + BK < k) {
      fetch(!transposedLeft, 0, BM, from + BK, k, row, m, left, rows, foursLeft, shareLeft);
      fetch(transposedRight, ones, BN, from + BK, k, column, n, right, 0, foursRight, shareRight);
    }
    const int depth = k - from < BK ? k - from : BK;
    const STAGED *a = linesLeft + ITEM(1) * TM * LINE;
    const STAGED *b = linesRight + ITEM(0) * LINE;
    _Pragma("unroll 4")
    for (int four = 0; four < depth / 4; four++) {
      add_products(4, a + four, b + four, result);
    }
    if (depth % 4 != 0) {
      add_products(depth % 4, a + depth / 4, b + depth / 4, result);
    }
  }
  BARRIER(); /* the next tile begins with the first buffer */
}

DEVICE void multiply(const int transposedLeft, const int transposedRight, const int ones, int tileX,
                     int tileY, int m, int n, int k, const float *left, const float *right,
                     VEC (*result)[NV], STAGED *tileLeft, STAGED *tileRight) {
  multiply_rows(transposedLeft, transposedRight, ones, tileX, tileY, m, n, k, left, 0, right, result,
                tileLeft, tileRight);
}

#endif
