package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;

/**
 * For 16 registers and narrow results. Rows of B are a panel's, at a constant distance that is a
 * power of two: so C2 leaves no range checks in the loops, on JDK 17 either.
 */
final class Tile4x2 extends Tile {
  Tile4x2() {
    super(4, 2);
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
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    for (int p = 0; p < k; p++) {
      int q = atA + p * 4;
      int r = atB + p * (2 * LANES);
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, r);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, r + LANES);
      FloatVector x0 = FloatVector.broadcast(SPECIES, a[q]);
      c00 = x0.fma(b0, c00);
      c01 = x0.fma(b1, c01);
      FloatVector x1 = FloatVector.broadcast(SPECIES, a[q + 1]);
      c10 = x1.fma(b0, c10);
      c11 = x1.fma(b1, c11);
      FloatVector x2 = FloatVector.broadcast(SPECIES, a[q + 2]);
      c20 = x2.fma(b0, c20);
      c21 = x2.fma(b1, c21);
      FloatVector x3 = FloatVector.broadcast(SPECIES, a[q + 3]);
      c30 = x3.fma(b0, c30);
      c31 = x3.fma(b1, c31);
    }
    c00.intoArray(c, atC);
    c01.intoArray(c, atC + LANES);
    int r1 = atC + strideC;
    c10.intoArray(c, r1);
    c11.intoArray(c, r1 + LANES);
    int r2 = atC + 2 * strideC;
    c20.intoArray(c, r2);
    c21.intoArray(c, r2 + LANES);
    int r3 = atC + 3 * strideC;
    c30.intoArray(c, r3);
    c31.intoArray(c, r3 + LANES);
  }

  @Override
  void multiplyRows(
      int count,
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
    int last = count - 1;
    int a1 = atA + Math.min(1, last) * strideA;
    int a2 = atA + Math.min(2, last) * strideA;
    int a3 = atA + Math.min(3, last) * strideA;
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    for (int p = 0; p < k; p++) {
      int r = atB + p * (2 * LANES);
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, r);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, r + LANES);
      FloatVector x0 = FloatVector.broadcast(SPECIES, a[atA + p]);
      c00 = x0.fma(b0, c00);
      c01 = x0.fma(b1, c01);
      FloatVector x1 = FloatVector.broadcast(SPECIES, a[a1 + p]);
      c10 = x1.fma(b0, c10);
      c11 = x1.fma(b1, c11);
      FloatVector x2 = FloatVector.broadcast(SPECIES, a[a2 + p]);
      c20 = x2.fma(b0, c20);
      c21 = x2.fma(b1, c21);
      FloatVector x3 = FloatVector.broadcast(SPECIES, a[a3 + p]);
      c30 = x3.fma(b0, c30);
      c31 = x3.fma(b1, c31);
    }
    c00.intoArray(c, atC);
    c01.intoArray(c, atC + LANES);
    int r1 = atC + strideC;
    c10.intoArray(c, r1);
    c11.intoArray(c, r1 + LANES);
    int r2 = atC + 2 * strideC;
    c20.intoArray(c, r2);
    c21.intoArray(c, r2 + LANES);
    int r3 = atC + 3 * strideC;
    c30.intoArray(c, r3);
    c31.intoArray(c, r3 + LANES);
  }
}
