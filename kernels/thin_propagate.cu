/*
 * The propagation of the error signal of few units, masked and summed in the same pass:
 *
 *   thin_propagate   E = (D W) (.) f'(saved),  db_j = sum_i e_ij
 *                    D [m x k], W [k x n], saved, E [m x n], db [n]
 *
 * half, keep, saved and savedHalf are those of mask_column_sums, W starts like E, and so are the
 * bits, the product's those of gemm_propagate. error_columns.h has the launch. On an H200, 8192 x 300
 * from one unit: 11 us, where a product, column sums and a rounding took 38, 10 and 6 (caches empty).
 */
#include "error_columns.h"

KERNEL(CX, CY) void thin_propagate(int m, int n, int f, int keep, int pitch, int k,
    const float *RESTRICT d, INDEX atD, const float *RESTRICT w, INDEX atW,
    const float *RESTRICT saved, INDEX atSaved, const HALF *RESTRICT savedHalf,
    float *RESTRICT e, INDEX atE, HALF *RESTRICT half,
    float *RESTRICT sums, unsigned int *RESTRICT counters, float *RESTRICT db, INDEX atDb) {
  LOCAL float shared[WG];
  const Error error = {m, n, k, f, keep, pitch, 0, 0, d + atD, w + atW, saved + atSaved,
                       savedHalf, e + atE, half};
  const Sums to = {sums, counters, db + atDb};
  columns(1, error, to, shared);
}
