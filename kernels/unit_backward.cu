/*
 * All that the error signal of a layer of one unit is for, in one pass over what the layer below has
 * saved:
 *
 *   unit_backward   E = (d w) (.) f'(saved),  sums_j = sum_i e_ij
 *                   dw = d' A,  db = d' 1
 *
 *   d [m]  w, dw [n]  db [1]  saved, A, E [m x n]  sums [n]
 *
 * The first line is left out if w is null, its sums if they are, the second line if dw is null. A is
 * saved, in both lines; for the second alone, f is IDENTITY. In dw it is rounded to bf16 if round is
 * not 0. half, keep, pitch, saved and savedHalf are those of mask_column_sums, but that savedHalf may
 * be given for the second line alone, too. E has the bits of gemm_propagate, sums those of sum_columns; dw and db are added in the same order, whatever else is
 * computed.
 *
 * error_columns.h has the launch; partial is [2 chunks x n] and then [chunks]. 8 bytes a number, or 4
 * in bf16. On an H200, 8192 x 300 in tf32, the four results took 27 us in four launches, so 16.
 */
#include "error_columns.h"

/* What the kernel is given. */
struct Layer {
  int m, n, f, keep, round, pitch;
  const float *d, *w, *saved;
  const HALF *savedHalf;
  float *e;
  HALF *half;
  float *sums, *dw, *db;
};

/* The lines of partial sums. */
#define LINE_OF_SUMS 0
#define LINE_OF_DW 1
#define LINES 2

/* The work-item's columns of a chunk, so many rows at once. */
DEVICE void columns_of(const int aligned, const int f, const int rows, const Layer &s,
                       const Chunks &chunks, LOCAL_PTR float *shared) {
  const int column = (GROUP(0) * CX + ITEM(0)) * PAIR;
  const int left = s.n - column;
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), s.m);
  const int round = s.round && !s.savedHalf;
  const FLOATS weights = pair_at(aligned, s.w ? left : 0, s.w + column);
  float sums[PAIR], dw[PAIR];
  UNROLL for (int j = 0; j < PAIR; j++) {
    sums[j] = 0.0f;
    dw[j] = 0.0f;
  }
  if (column < (s.half ? s.pitch : s.n)) {
    for (int row = chunk_start(GROUP(1), GROUPS(1), s.m) + ITEM(1); row < end; row += rows * CY) {
      FLOATS kept[LOADS];
      float d[LOADS];
      read_rows(aligned, rows, row, column, end, s.n, s.saved, s.savedHalf, s.pitch, kept);
      UNROLL for (int i = 0; i < rows; i++) {
        d[i] = row + i * CY < end ? s.d[row + i * CY] : 0.0f;
      }
      UNROLL for (int i = 0; i < rows; i++) {
        const INDEX line = row + i * CY;
        FLOATS errors;
        if (line < end) {
          UNROLL for (int j = 0; j < PAIR; j++) {
            const float input = kept[i].part[j];
            dw[j] = fmaf(d[i], round ? widened(rounded(input)) : input, dw[j]);
            /* products, not choices: 0 times NaN and 0 times infinity are NaN */
            errors.part[j] = fmaf(d[i], weights.part[j], 0.0f) * derivative(f, input);
            sums[j] += errors.part[j];
          }
          if (s.w) {
            write_errors(aligned, line, column, s.n, errors, s.keep ? s.e : 0, s.half, s.pitch);
          }
        }
      }
    }
  }
  UNROLL for (int j = 0; j < PAIR; j++) {
    if (s.sums) {
      add_columns(sums[j], column + j, s.n, shared,
                  sums_of_chunk(s.n, LINE_OF_SUMS, chunks, s.sums));
    }
    if (s.dw) {
      add_columns(dw[j], column + j, s.n, shared, sums_of_chunk(s.n, LINE_OF_DW, chunks, s.dw));
    }
  }
}

/* The sum of the errors of a chunk. */
DEVICE void sum_errors(const Layer &s, const Chunks &errors, LOCAL_PTR float *shared) {
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), s.m);
  float sum = 0.0f;
  for (int row = chunk_start(GROUP(1), GROUPS(1), s.m) + group_item(); row < end; row += WG) {
    sum += s.d[row];
  }
  sum = group_sum(sum, shared);
  if (group_item() == 0) {
    *sums_of_chunk(1, 0, errors, s.db) = sum;
  }
}

/* As in mask_column_sums, the common case by a loop of its own. */
KERNEL(CX, CY) void unit_backward(int m, int n, int f, int keep, int round, int pitch,
    const float *RESTRICT d, INDEX atD, const float *RESTRICT w, const float *RESTRICT saved,
    INDEX atSaved, const HALF *RESTRICT savedHalf, float *RESTRICT e, HALF *RESTRICT half,
    float *RESTRICT partial, unsigned int *RESTRICT counters, float *RESTRICT sums,
    float *RESTRICT dw, float *RESTRICT db) {
  LOCAL float shared[WG];
  const Layer s = {m, n, f, keep, round, pitch, d + atD, w, saved + atSaved, savedHalf, e, half,
                   sums, dw, db};
  const Chunks chunks = {partial, counters};
  const Chunks errors = {partial + (INDEX)LINES * GROUPS(1) * n, counters};
  const int aligned = n % PAIR == 0 && (savedHalf || starts_pairs(s.saved)) && starts_pairs(e) &&
                      starts_pairs(w);
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
      if (dw) {
        add_chunks(first_of_run(j), n, LINE_OF_DW, chunks, shared, dw);
      }
    }
    if (first) {
      add_chunks(0, 1, 0, errors, shared, db);
    }
  }
}
