/*
 * What follows a product that another library has computed, where gemm.cl has it fused:
 *
 *   bias_activation   Z = Z + 1 b',  A = f(Z)      Z, A [m x n], b [n]; Z is the product
 *   mask              E = E (.) f'(saved)          E, saved [count]; E is the product
 *
 * Z is written only if keep is not 0; A may lie where Z lies. half, if it is not null, gets A or E
 * rounded to bf16. The results have the bits of gemm_forward's and gemm_propagate's ends.
 *
 * Launch: bias_activation in groups of BX by WG / BX work-items, ceil(m BX / WG) by
 * ceil(n / (BX VW)) groups: the rows go along x, where there may be more of them. mask one
 * work-item for VW numbers, groups of WG.
 * Memory alone counts: 8 bytes a number for A, 12 for E, 2 more for a copy in bf16. A work-item
 * takes VW neighbours, 16 bytes at once where the address allows it.
 */
#include "activation.h"
#include "bf16.h"

#ifndef BX
#define BX 32
#endif

KERNEL(BX, WG / BX) void bias_activation(int m, int n, int f, int keep,
    const float *RESTRICT b, INDEX atB, float *z, INDEX atZ, float *a, INDEX atA,
    HALF *half, INDEX atHalf) {
  const INDEX row = (INDEX)GROUP(0) * (WG / BX) + ITEM(1);
  const int column = (GROUP(1) * BX + ITEM(0)) * VW;
  if (row >= m || column >= n) {
    return;
  }
  const INDEX i = row * n + column;
  const int left = n - column;
  float sums[VW], biases[VW];
  read_up_to(left, z + atZ + i, sums);
  read_up_to(left, b + atB + column, biases);
  UNROLL for (int j = 0; j < VW; j++) {
    sums[j] += biases[j];
  }
  if (keep) {
    write_up_to(left, sums, z + atZ + i);
  }
  UNROLL for (int j = 0; j < VW; j++) {
    sums[j] = activate(f, sums[j]);
  }
  write_up_to(left, sums, a + atA + i);
  if (half) {
    write_halves(left, sums, half + atHalf + i);
  }
}

KERNEL(WG, 1) void mask(INDEX count, int f, const float *RESTRICT saved, INDEX atSaved,
    float *RESTRICT e, INDEX atE, HALF *half, INDEX atHalf) {
  const INDEX i = ((INDEX)GROUP(0) * WG + ITEM(0)) * VW;
  const INDEX left = count - i;
  float errors[VW], kept[VW];
  read_up_to(left, e + atE + i, errors);
  read_up_to(left, saved + atSaved + i, kept);
  UNROLL for (int j = 0; j < VW; j++) {
    errors[j] *= derivative(f, kept[j]); /* a product: 0 times NaN is NaN */
  }
  write_up_to(left, errors, e + atE + i);
  if (half) {
    write_halves(left, errors, half + atHalf + i);
  }
}
