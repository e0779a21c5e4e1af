/*
 * All that the error signal of a layer of few units is for, in one pass over what the layer below
 * has saved:
 *
 *   thin_backward   E = (D W) (.) f'(saved),  sums_j = sum_i e_ij
 *                   dW = D' A,  db = D' 1
 *
 *   D [m x units], units <= 16; W, dW [units x n], db [units]; saved, A, E [m x n]; sums [n]
 *
 * The first line is left out if w is null, sums if they are, the second line if dw is null. A is
 * saved, in both lines; for the second alone, f is IDENTITY. In dW it is rounded to bf16 if round is
 * not 0. half, keep, pitch, saved and savedHalf are those of mask_column_sums. E has the bits of
 * gemm_propagate, sums those of sum_columns; dW and db are added in the same order, whatever else is
 * computed.
 *
 * error_columns.h has the launch; partial is [(1 + units) chunks x n] and then [chunks x units]. 8
 * bytes a number, or 4 in bf16. On an H200, 8192 x 300 from one unit, the first line as a product,
 * column sums and a rounding took 38, 10 and 6 us, and by a launch like this 11 (caches empty).
 */
#include "error_columns.h"

/* The most units that there may be. */
#ifndef UNITS
#define UNITS 16
#endif

/* What the kernel is given. */
struct Layer {
  int m, n, units, f, keep, round, pitch;
  const float *d, *w, *saved;
  const HALF *savedHalf;
  float *e;
  HALF *half;
  float *sums, *dw, *db;
};

/* The lines of partial sums, of which dW has as many as units. */
#define LINE_OF_SUMS 0
#define LINE_OF_DW 1

/*
 * Takes the first of the sums and moves the others up: a loop that indexed them would keep them out
 * of registers, and adding is too long to be unrolled for each.
 */
DEVICE float take(float *dw) {
  const float first = dw[0];
  UNROLL for (int c = 1; c < UNITS * PAIR; c++) {
    dw[c - 1] = dw[c];
  }
  return first;
}

/*
 * The work-item's columns of a chunk, so many rows at once. Beyond the last row and unit are zeros,
 * which change no sum.
 */
DEVICE void columns_of(const int aligned, const int f, const int rows, const Layer &s,
                       const Chunks &chunks, LOCAL_PTR float *shared) {
  const int column = (GROUP(0) * CX + ITEM(0)) * PAIR;
  const int left = s.n - column;
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), s.m);
  const int round = s.round && !s.savedHalf;
  FLOATS weights[UNITS];
  float sums[PAIR], dw[UNITS * PAIR];
  UNROLL for (int p = 0; p < UNITS; p++) {
    weights[p] = pair_at(aligned, s.w && p < s.units ? left : 0, s.w + (INDEX)p * s.n + column);
  }
  UNROLL for (int j = 0; j < PAIR; j++) {
    sums[j] = 0.0f;
  }
  UNROLL for (int c = 0; c < UNITS * PAIR; c++) {
    dw[c] = 0.0f;
  }
  if (column < (s.half ? s.pitch : s.n)) {
    for (int row = chunk_start(GROUP(1), GROUPS(1), s.m) + ITEM(1); row < end; row += rows * CY) {
      FLOATS kept[LOADS];
      read_rows(aligned, rows, row, column, end, s.n, s.saved, s.savedHalf, s.pitch, kept);
      UNROLL for (int i = 0; i < rows; i++) {
        const INDEX line = row + i * CY;
        float d[UNITS];
        UNROLL for (int p = 0; p < UNITS; p++) {
          d[p] = line < end && p < s.units ? s.d[line * s.units + p] : 0.0f;
        }
        FLOATS errors;
        UNROLL for (int j = 0; j < PAIR; j++) {
          const float input = round ? widened(rounded(kept[i].part[j])) : kept[i].part[j];
          errors.part[j] = 0.0f;
          UNROLL for (int p = 0; p < UNITS; p++) {
            errors.part[j] = fmaf(d[p], weights[p].part[j], errors.part[j]);
            dw[p * PAIR + j] = fmaf(d[p], input, dw[p * PAIR + j]);
          }
          /* a product, not a choice: 0 times NaN and 0 times infinity are NaN */
          errors.part[j] *= derivative(f, kept[i].part[j]);
          sums[j] += errors.part[j];
        }
        if (line < end && s.w) {
          write_errors(aligned, line, column, s.n, errors, s.keep ? s.e : 0, s.half, s.pitch);
        }
      }
    }
  }
  if (s.sums) {
    UNROLL for (int j = 0; j < PAIR; j++) {
      add_columns(sums[j], column + j, s.n, shared,
                  sums_of_chunk(s.n, LINE_OF_SUMS, chunks, s.sums));
    }
  }
  if (s.dw) {
    ROLLED for (int c = 0; c < s.units * PAIR; c++) {
      const int p = c / PAIR;
      add_columns(take(dw), column + c % PAIR, s.n, shared,
                  sums_of_chunk(s.n, LINE_OF_DW + p, chunks, s.dw + (INDEX)p * s.n));
    }
  }
}

/* The sums of the errors of a chunk, which the first groups add. */
DEVICE void sum_errors(const Layer &s, const Chunks &errors, LOCAL_PTR float *shared) {
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), s.m);
  for (int p = 0; p < s.units; p++) {
    float sum = 0.0f;
    for (int row = chunk_start(GROUP(1), GROUPS(1), s.m) + group_item(); row < end; row += WG) {
      sum += s.d[(INDEX)row * s.units + p];
    }
    sum = group_sum(sum, shared);
    if (group_item() == 0) {
      sums_of_chunk(s.units, 0, errors, s.db)[p] = sum;
    }
  }
}

/* As in mask_column_sums, the common cases by loops of their own. */
KERNEL(CX, CY) void thin_backward(int m, int n, int units, int f, int keep, int round, int pitch,
    const float *RESTRICT d, INDEX atD, const float *RESTRICT w, const float *RESTRICT saved,
    INDEX atSaved, const HALF *RESTRICT savedHalf, float *RESTRICT e, HALF *RESTRICT half,
    float *RESTRICT partial, unsigned int *RESTRICT counters, float *RESTRICT sums,
    float *RESTRICT dw, float *RESTRICT db) {
  LOCAL float shared[WG];
  const Layer s = {m, n, units, f, keep, round, pitch, d + atD, w, saved + atSaved, savedHalf, e,
                   half, sums, dw, db};
  const Chunks chunks = {partial, counters};
  const Chunks errors = {partial + (INDEX)(LINE_OF_DW + units) * GROUPS(1) * n, counters};
  const int aligned = n % PAIR == 0 && (savedHalf || starts_pairs(s.saved)) &&
                      starts_pairs(e) && starts_pairs(w);
  if (aligned && f == RELU) {
    columns_of(1, RELU, LOADS, s, chunks, shared);
  } else {
    columns_of(aligned, f, 2, s, chunks, shared);
  }
  const int first = GROUP(0) == 0 && dw != 0;
  if (first) {
    sum_errors(s, errors, shared);
  }
  if (is_last(chunks, shared)) {
    for (int j = 0; j < PAIR; j++) {
      if (sums) {
        add_chunks(first_of_run(j), n, LINE_OF_SUMS, chunks, shared, sums);
      }
      for (int p = 0; dw && p < units; p++) {
        add_chunks(first_of_run(j), n, LINE_OF_DW + p, chunks, shared, dw + (INDEX)p * n);
      }
    }
    if (first) {
      add_chunks(0, units, 0, errors, shared, db);
    }
  }
}
