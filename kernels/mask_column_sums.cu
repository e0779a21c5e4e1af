/*
 * The mask of a propagated error and the bias gradient below it, and the bias gradient alone:
 *
 *   mask_column_sums   E = P (.) f'(saved),  db_j = sum_i e_ij      saved, E [m x n], db [n]
 *   sum_columns        db_j = sum_i e_ij
 *
 * P [m x n], in rows of pitchOfP, is the product D W; it may lie where E lies. half, if it is not
 * null, gets E rounded to bf16, in rows of pitch; E itself is written only if keep is not 0. saved is
 * read as floats or, if savedHalf is not null, in bf16, in rows of pitch; then f is RELU, n a
 * multiple of PAIR, and P and E start at as many floats. The bits are those of gemm_propagate, or of
 * mask, and of sum_columns. error_columns.h has the launch.
 */
#include "error_columns.h"

KERNEL(CX, CY) void mask_column_sums(int m, int n, int f, int keep, int pitch,
    const float *p, int pitchOfP, const float *RESTRICT saved, INDEX atSaved,
    const HALF *RESTRICT savedHalf, float *e, INDEX atE, HALF *RESTRICT half,
    float *RESTRICT sums, unsigned int *RESTRICT counters, float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const Error error = {m, n, 0, f, keep, pitch, pitchOfP, p, 0, 0, saved + atSaved, savedHalf,
                       e + atE, half};
  const Sums to = {sums, counters, db + atDb};
  columns(0, error, to, shared);
}

KERNEL(CX, CY) void sum_columns(int m, int n, const float *RESTRICT e, INDEX atE,
    float *RESTRICT sums, unsigned int *RESTRICT counters, float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const Sums to = {sums, counters, db + atDb};
  for (int j = 0; j < PAIR; j++) {
    column_sums_of((GROUP(0) * PAIR + j) * CX, GROUP(1), GROUPS(1), m, n, e + atE, shared,
                   sums_of_chunk(n, to));
    BARRIER();
  }
  end_sums(n, to, shared);
}
