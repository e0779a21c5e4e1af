package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;

/** For 32 registers and narrow or few-rowed results. */
final class Tile8x2 extends Tile {
  Tile8x2() {
    super(8, 2);
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
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    FloatVector c50 = FloatVector.zero(SPECIES);
    FloatVector c51 = FloatVector.zero(SPECIES);
    FloatVector c60 = FloatVector.zero(SPECIES);
    FloatVector c61 = FloatVector.zero(SPECIES);
    FloatVector c70 = FloatVector.zero(SPECIES);
    FloatVector c71 = FloatVector.zero(SPECIES);
    for (int p = 0; p < k; p++) {
      int q = atA + p * strideA;
      int r = atB + p * strideB;
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
      FloatVector x4 = FloatVector.broadcast(SPECIES, a[q + 4]);
      c40 = x4.fma(b0, c40);
      c41 = x4.fma(b1, c41);
      FloatVector x5 = FloatVector.broadcast(SPECIES, a[q + 5]);
      c50 = x5.fma(b0, c50);
      c51 = x5.fma(b1, c51);
      FloatVector x6 = FloatVector.broadcast(SPECIES, a[q + 6]);
      c60 = x6.fma(b0, c60);
      c61 = x6.fma(b1, c61);
      FloatVector x7 = FloatVector.broadcast(SPECIES, a[q + 7]);
      c70 = x7.fma(b0, c70);
      c71 = x7.fma(b1, c71);
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
    int r4 = atC + 4 * strideC;
    c40.intoArray(c, r4);
    c41.intoArray(c, r4 + LANES);
    int r5 = atC + 5 * strideC;
    c50.intoArray(c, r5);
    c51.intoArray(c, r5 + LANES);
    int r6 = atC + 6 * strideC;
    c60.intoArray(c, r6);
    c61.intoArray(c, r6 + LANES);
    int r7 = atC + 7 * strideC;
    c70.intoArray(c, r7);
    c71.intoArray(c, r7 + LANES);
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
    int a4 = atA + Math.min(4, last) * strideA;
    int a5 = atA + Math.min(5, last) * strideA;
    int a6 = atA + Math.min(6, last) * strideA;
    int a7 = atA + Math.min(7, last) * strideA;
    FloatVector c00 = FloatVector.zero(SPECIES);
    FloatVector c01 = FloatVector.zero(SPECIES);
    FloatVector c10 = FloatVector.zero(SPECIES);
    FloatVector c11 = FloatVector.zero(SPECIES);
    FloatVector c20 = FloatVector.zero(SPECIES);
    FloatVector c21 = FloatVector.zero(SPECIES);
    FloatVector c30 = FloatVector.zero(SPECIES);
    FloatVector c31 = FloatVector.zero(SPECIES);
    FloatVector c40 = FloatVector.zero(SPECIES);
    FloatVector c41 = FloatVector.zero(SPECIES);
    FloatVector c50 = FloatVector.zero(SPECIES);
    FloatVector c51 = FloatVector.zero(SPECIES);
    FloatVector c60 = FloatVector.zero(SPECIES);
    FloatVector c61 = FloatVector.zero(SPECIES);
    FloatVector c70 = FloatVector.zero(SPECIES);
    FloatVector c71 = FloatVector.zero(SPECIES);
    for (int p = 0; p < k; p++) {
      int r = atB + p * strideB;
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
      FloatVector x4 = FloatVector.broadcast(SPECIES, a[a4 + p]);
      c40 = x4.fma(b0, c40);
      c41 = x4.fma(b1, c41);
      FloatVector x5 = FloatVector.broadcast(SPECIES, a[a5 + p]);
      c50 = x5.fma(b0, c50);
      c51 = x5.fma(b1, c51);
      FloatVector x6 = FloatVector.broadcast(SPECIES, a[a6 + p]);
      c60 = x6.fma(b0, c60);
      c61 = x6.fma(b1, c61);
      FloatVector x7 = FloatVector.broadcast(SPECIES, a[a7 + p]);
      c70 = x7.fma(b0, c70);
      c71 = x7.fma(b1, c71);
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
    int r4 = atC + 4 * strideC;
    c40.intoArray(c, r4);
    c41.intoArray(c, r4 + LANES);
    int r5 = atC + 5 * strideC;
    c50.intoArray(c, r5);
    c51.intoArray(c, r5 + LANES);
    int r6 = atC + 6 * strideC;
    c60.intoArray(c, r6);
    c61.intoArray(c, r6 + LANES);
    int r7 = atC + 7 * strideC;
    c70.intoArray(c, r7);
    c71.intoArray(c, r7 + LANES);
  }
}
