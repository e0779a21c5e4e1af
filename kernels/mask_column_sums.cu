/*
 * The mask of a propagated error and the bias gradient below it, in one pass:
 *
 *   E = E (.) f'(saved),  db_j = sum_i e_ij      E, saved [m x n], db [n]
 *
 * half, if it is not null, gets E rounded to bf16. The bits are those of mask and column_sums, and
 * so is the launch: that of column_sums.
 * Memory alone counts: 12 bytes a number, 16 for the two kernels one after the other. A row of
 * work-items reads 32 neighbours, a full line, so that wider accesses would save no traffic; what
 * counts is how many are on their way. On an H200, 4096 x 4096 with a copy in bf16: 70 us, where the
 * memory allows 56; rows of 16 work-items in groups of 128 took 84.
 */
#include "activation.h"
#include "bf16.h"
#include "column_sums.h"

KERNEL(CX, CY) void mask_column_sums(int m, int n, int f, const float *RESTRICT saved,
    INDEX atSaved, float *RESTRICT e, INDEX atE, HALF *RESTRICT half, INDEX atHalf,
    float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const int column = GROUP(0) * CX + ITEM(0);
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), m);
  float sum = 0.0f;
  if (column < n) {
    for (int row = chunk_start(GROUP(1), GROUPS(1), m) + ITEM(1); row < end; row += AHEAD * CY) {
      float errors[AHEAD], kept[AHEAD];
      UNROLL for (int i = 0; i < AHEAD; i++) {
        const INDEX at = (INDEX)(row + i * CY) * n + column;
        const int inside = row + i * CY < end;
        errors[i] = inside ? e[atE + at] : 0.0f;
        kept[i] = inside ? saved[atSaved + at] : 0.0f;
      }
      UNROLL for (int i = 0; i < AHEAD; i++) {
        const INDEX at = (INDEX)(row + i * CY) * n + column;
        if (row + i * CY < end) {
          const float error = errors[i] * derivative(f, kept[i]);
          e[atE + at] = error;
          if (half) {
            half[atHalf + at] = rounded(error);
          }
          sum += error;
        }
      }
    }
  }
  add_columns(sum, column, n, shared, db + atDb + (INDEX)GROUP(1) * n);
}
