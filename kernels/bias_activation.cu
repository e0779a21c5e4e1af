/*
 * What follows a product that another library has computed, where gemm.cl has it fused:
 *
 *   bias_activation   Z = P + 1 b',  A = f(Z)      Z, A [m x n], b [n]; P [m x n] in rows of pitchOfP
 *   mask              E = E (.) f'(saved)          E, saved [count]; E is the product
 *
 * Z is written only if keepZ is not 0, A as floats only if keepA is not 0; P may lie where either
 * lies. half, if it is not null, gets A rounded to bf16, in rows of pitch. The results have the bits
 * of gemm_forward's and gemm_propagate's ends.
 *
 * Launch: groups of WG. Of bias_activation one work-item for VECTORS times VW neighbours, in rows of
 * n, or of pitch for a copy, that are rounded up to a multiple of VW; of mask one for VW numbers.
 * Memory alone counts: 8 bytes a number for floats, 6 for a copy alone; 12 for E. VW neighbours are
 * read and written as 16 bytes where the address allows it.
 */
#include "activation.h"
#include "bf16.h"

#define VECTORS 2

DEVICE void bias_activation_of(const int f, int m, int n, int keepZ, int keepA, int pitch,
                               const float *p, int pitchOfP, const float *b, float *z, float *a,
                               HALF *half) {
  const int ofRow = ((half ? pitch : n) + VW - 1) / VW;
  const INDEX first = (INDEX)GROUP(0) * WG * VECTORS;
  const INDEX firstRow = first / ofRow;
  float sums[VECTORS][VW];
  INDEX rows[VECTORS];
  int columns[VECTORS];
  UNROLL for (int c = 0; c < VECTORS; c++) {
    const unsigned int vector = (unsigned int)(first - firstRow * ofRow) + c * WG + ITEM(0);
    const unsigned int below = vector / (unsigned int)ofRow;
    rows[c] = firstRow + below;
    columns[c] = (int)(vector - below * ofRow) * VW;
    read_up_to(rows[c] < m ? n - columns[c] : 0, p + rows[c] * pitchOfP + columns[c], sums[c]);
  }
  UNROLL for (int c = 0; c < VECTORS; c++) {
    if (rows[c] < m) {
      const int left = n - columns[c];
      const INDEX i = rows[c] * n + columns[c];
      float biases[VW];
      read_up_to(left, b + columns[c], biases);
      UNROLL for (int j = 0; j < VW; j++) {
        sums[c][j] += biases[j];
      }
      if (keepZ) {
        write_up_to(left, sums[c], z + i);
      }
      UNROLL for (int j = 0; j < VW; j++) {
        sums[c][j] = activate(f, sums[c][j]);
      }
      if (keepA) {
        write_up_to(left, sums[c], a + i);
      }
      if (half) {
        write_halves(left, sums[c], half + rows[c] * pitch + columns[c]);
      }
    }
  }
}

KERNEL(WG, 1) void bias_activation(int m, int n, int f, int keepZ, int keepA, int pitch,
    const float *p, int pitchOfP, const float *RESTRICT b, INDEX atB, float *z, INDEX atZ, float *a,
    INDEX atA, HALF *half) {
  if (f == RELU) { /* by a loop of its own, in which f is not asked for */
    bias_activation_of(RELU, m, n, 0, keepA, pitch, p, pitchOfP, b + atB, 0, a + atA, half);
  } else {
    bias_activation_of(f, m, n, keepZ, keepA, pitch, p, pitchOfP, b + atB, z + atZ, a + atA, half);
  }
}

KERNEL(WG, 1) void mask(INDEX count, int f, const float *RESTRICT saved, INDEX atSaved,
    float *RESTRICT e, INDEX atE) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  const INDEX left = count - i;
  float errors[VW], kept[VW];
  read_up_to(left, e + atE + i, errors);
  read_up_to(left, saved + atSaved + i, kept);
  UNROLL for (int j = 0; j < VW; j++) {
    errors[j] *= derivative(f, kept[j]); /* a product: 0 times NaN is NaN */
  }
  write_up_to(left, errors, e + atE + i);
}
