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

/* What bias_activation is given. */
struct Layer {
  int m, n, keepZ, keepA, pitch;
  const float *p;
  int pitchOfP;
  const float *b;
  float *z, *a;
  HALF *half;
};

/* Where vector c of the work-item lies. */
DEVICE INDEX place_of(const Layer &s, int c, int *column) {
  const unsigned int ofRow = ((s.half ? s.pitch : s.n) + VW - 1) / VW;
  const INDEX first = (INDEX)GROUP(0) * WG * VECTORS;
  const INDEX row = first / ofRow;
  const unsigned int vector = (unsigned int)(first - row * ofRow) + c * WG + ITEM(0);
  const unsigned int below = vector / ofRow;
  *column = (int)(vector - below * ofRow) * VW;
  return row + below;
}

DEVICE void read_product(const Layer &s, INDEX row, int column, float *sums) {
  read_up_to(row < s.m ? s.n - column : 0, s.p + row * s.pitchOfP + column, sums);
}

DEVICE void end_vector(const int f, const Layer &s, INDEX row, int column, float *sums) {
  if (row >= s.m) {
    return;
  }
  const int left = s.n - column;
  const INDEX i = row * s.n + column;
  float biases[VW];
  read_up_to(left, s.b + column, biases);
  UNROLL for (int j = 0; j < VW; j++) {
    sums[j] += biases[j];
  }
  if (s.keepZ) {
    write_up_to(left, sums, s.z + i);
  }
  UNROLL for (int j = 0; j < VW; j++) {
    sums[j] = activate(f, sums[j]);
  }
  if (s.keepA) {
    write_up_to(left, sums, s.a + i);
  }
  if (s.half) {
    write_halves(left, sums, s.half + row * s.pitch + column);
  }
}

KERNEL(WG, 1) void bias_activation(int m, int n, int f, int keepZ, int keepA, int pitch,
    const float *p, int pitchOfP, const float *RESTRICT b, INDEX atB, float *z, INDEX atZ, float *a,
    INDEX atA, HALF *half) {
  const Layer layer = {m, n, keepZ, keepA, pitch, p, pitchOfP, b + atB, z + atZ, a + atA, half};
  int column[VECTORS];
  if (f == RELU) { /* by code of its own, in which f is not asked for: all vectors at once */
    float sums[VECTORS][VW];
    INDEX row[VECTORS];
    UNROLL for (int c = 0; c < VECTORS; c++) {
      row[c] = place_of(layer, c, column + c);
      read_product(layer, row[c], column[c], sums[c]);
    }
    UNROLL for (int c = 0; c < VECTORS; c++) {
      end_vector(RELU, layer, row[c], column[c], sums[c]);
    }
  } else {
    ROLLED for (int c = 0; c < VECTORS; c++) {
      float sums[VW];
      const INDEX row = place_of(layer, c, column);
      read_product(layer, row, column[0], sums);
      end_vector(f, layer, row, column[0], sums);
    }
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
