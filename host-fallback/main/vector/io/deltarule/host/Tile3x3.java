package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;

/**
 * For 16 registers: 9 accumulators, 3 vectors of B, 3 numbers of A, which C2 loads together before
 * it multiplies. Both are panels. With more accumulators (4x3, 6x2, 5x2) it spills, on JDK 25 or
 * both. Counted by what lies in A, the loop has no range checks but its own end: it takes 20
 * instructions on JDK 25, 25 on 17; counted by terms, as those of other tiles, it took 30 and 41,
 * and half as long again.
 */
final class Tile3x3 extends Tile {
  Tile3x3() {
    super(3, 3);
  }

  @Override
  void multiply(
      int k,
      float[] a,
      int atA,
      int strideA,
      float[] b,
      int atB,
      int strideB,
      float[] c,
      int atC,
      int strideC) {
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c02 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c12 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c22 = FloatVector.zero(SPECIES);
    // Three numbers of a go with three vectors of b.
    int fromA = atB - atA * LANES;
    int end = atA + 3 * k;
    for (int q = atA; q < end; q += 3) {
      int r = fromA + q * LANES;
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, r);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, r + LANES);
      FloatVector b2 = FloatVector.fromArray(SPECIES, b, r + 2 * LANES);
      FloatVector x0 = FloatVector.broadcast(SPECIES, a[q]);
      c00 = x0.fma(b0, c00);
      c01 = x0.fma(b1, c01);
      c02 = x0.fma(b2, c02);
      FloatVector x1 = FloatVector.broadcast(SPECIES, a[q + 1]);
      c10 = x1.fma(b0, c10);
      c11 = x1.fma(b1, c11);
      c12 = x1.fma(b2, c12);
      FloatVector x2 = FloatVector.broadcast(SPECIES, a[q + 2]);
      c20 = x2.fma(b0, c20);
      c21 = x2.fma(b1, c21);
      c22 = x2.fma(b2, c22);
    }
    c00.intoArray(c, atC);
    c01.intoArray(c, atC + LANES);
    c02.intoArray(c, atC + 2 * LANES);
    int r1 = atC + strideC;
    c10.intoArray(c, r1);
    c11.intoArray(c, r1 + LANES);
    c12.intoArray(c, r1 + 2 * LANES);
    int r2 = atC + 2 * strideC;
    c20.intoArray(c, r2);
    c21.intoArray(c, r2 + LANES);
    c22.intoArray(c, r2 + 2 * LANES);
  }
}
