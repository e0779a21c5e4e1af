/*
 * The mask of a propagated error and the bias gradient below it, and the bias gradient alone:
 *
 *   mask_column_sums   E = P (.) f'(saved),  db_j = sum_i e_ij      saved, E [m x n], db [n]
 *   sum_columns        db_j = sum_i e_ij
 *
 * P [m x n], in rows of pitchOfP, is the product D W; it may lie where E lies. half, if it is not
 * null, gets E rounded to bf16, in rows of pitch; E itself is written only if keep is not 0. saved is
 * read as floats or, if savedHalf is not null, in bf16, in rows of pitch; then f is RELU. The bits are
 * those of gemm_propagate, or of mask, and of sum_columns. error_columns.h has the launch; sums is
 * [chunks x n]. 12 bytes a number for floats, 8 if all but the product is in bf16.
 */
#include "error_columns.h"

/* What the kernel is given. */
struct Error {
  int m, n, f, keep, pitch, pitchOfP;
  const float *p, *saved;
  const HALF *savedHalf;
  float *e;
  HALF *half;
  float *db;
};

/* The work-item's columns of a chunk, so many rows at once. */
DEVICE void columns_of(const int aligned, const int f, const int loads, const Error &s,
                       const Chunks &chunks, LOCAL_PTR float *shared) {
  const int column = (GROUP(0) * CX + ITEM(0)) * PAIR;
  const int left = s.n - column;
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), s.m);
  float sums[PAIR];
  UNROLL for (int j = 0; j < PAIR; j++) {
    sums[j] = 0.0f;
  }
  if (column < (s.half ? s.pitch : s.n)) {
    for (int row = chunk_start(GROUP(1), GROUPS(1), s.m) + ITEM(1); row < end; row += loads * CY) {
      FLOATS errors[LOADS], kept[LOADS];
      UNROLL for (int i = 0; i < loads; i++) {
        const INDEX line = row + i * CY;
        errors[i] = pair_at(aligned, line < end ? left : 0, s.p + line * s.pitchOfP + column);
      }
      read_rows(aligned, loads, row, column, end, s.n, s.saved, s.savedHalf, s.pitch, kept);
      UNROLL for (int i = 0; i < loads; i++) {
        const INDEX line = row + i * CY;
        if (line < end) {
          UNROLL for (int j = 0; j < PAIR; j++) {
            /* a product, not a choice: 0 times NaN and 0 times infinity are NaN */
            errors[i].part[j] *= derivative(f, kept[i].part[j]);
            sums[j] += errors[i].part[j];
          }
          write_errors(aligned, line, column, s.n, errors[i], s.keep ? s.e : 0, s.half, s.pitch);
        }
      }
    }
  }
  UNROLL for (int j = 0; j < PAIR; j++) {
    add_columns(sums[j], column + j, s.n, shared, sums_of_chunk(s.n, 0, chunks, s.db));
  }
}

/*
 * The common case by a loop of its own, in which nothing is asked that is known; the others have
 * more code for each row, and fewer rows at once.
 */
KERNEL(CX, CY) void mask_column_sums(int m, int n, int f, int keep, int pitch,
    const float *p, int pitchOfP, const float *RESTRICT saved, INDEX atSaved,
    const HALF *RESTRICT savedHalf, float *e, INDEX atE, HALF *RESTRICT half,
    float *RESTRICT sums, unsigned int *RESTRICT counters, float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const Error s = {m, n, f, keep, pitch, pitchOfP, p, saved + atSaved, savedHalf, e + atE, half,
                   db + atDb};
  const Chunks chunks = {sums, counters};
  const int aligned = n % PAIR == 0 && pitchOfP % PAIR == 0 && starts_pairs(p) &&
                      starts_pairs(s.e) && starts_pairs(s.saved);
  if (aligned && f == RELU) {
    columns_of(1, RELU, LOADS, s, chunks, shared);
  } else if (aligned) {
    columns_of(1, f, 4, s, chunks, shared);
  } else {
    columns_of(0, f, 1, s, chunks, shared);
  }
  if (is_last(chunks, shared)) {
    for (int j = 0; j < PAIR; j++) {
      add_chunks(first_of_run(j), n, 0, chunks, shared, s.db);
    }
  }
}

KERNEL(CX, CY) void sum_columns(int m, int n, const float *RESTRICT e, INDEX atE,
    float *RESTRICT sums, unsigned int *RESTRICT counters, float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const Chunks chunks = {sums, counters};
  for (int j = 0; j < PAIR; j++) {
    column_sums_of(first_of_run(j), GROUP(1), GROUPS(1), m, n, e + atE, shared,
                   sums_of_chunk(n, 0, chunks, db + atDb));
    BARRIER();
  }
  if (is_last(chunks, shared)) {
    for (int j = 0; j < PAIR; j++) {
      add_chunks(first_of_run(j), n, 0, chunks, shared, db + atDb);
    }
  }
}
