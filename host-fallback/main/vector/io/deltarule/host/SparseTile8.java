package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;

/** Eight vectors wide: 16 accumulators, for 32 registers. */
final class SparseTile8 extends SparseTile {
  SparseTile8() {
    super(8);
  }

  @Override
  void multiply(
      int from,
      int to,
      int[] terms,
      float[] first,
      float[] second,
      float[] b,
      int atB,
      float[] c,
      int atC) {
    FloatVector c00 = FloatVector.fromArray(SPECIES, c, atC);
    FloatVector c01 = FloatVector.fromArray(SPECIES, c, atC + LANES);
    FloatVector c02 = FloatVector.fromArray(SPECIES, c, atC + 2 * LANES);
    FloatVector c03 = FloatVector.fromArray(SPECIES, c, atC + 3 * LANES);
    FloatVector c04 = FloatVector.fromArray(SPECIES, c, atC + 4 * LANES);
    FloatVector c05 = FloatVector.fromArray(SPECIES, c, atC + 5 * LANES);
    FloatVector c06 = FloatVector.fromArray(SPECIES, c, atC + 6 * LANES);
    FloatVector c07 = FloatVector.fromArray(SPECIES, c, atC + 7 * LANES);
    FloatVector c10 = FloatVector.fromArray(SPECIES, c, atC + 8 * LANES);
    FloatVector c11 = FloatVector.fromArray(SPECIES, c, atC + 9 * LANES);
    FloatVector c12 = FloatVector.fromArray(SPECIES, c, atC + 10 * LANES);
    FloatVector c13 = FloatVector.fromArray(SPECIES, c, atC + 11 * LANES);
    FloatVector c14 = FloatVector.fromArray(SPECIES, c, atC + 12 * LANES);
    FloatVector c15 = FloatVector.fromArray(SPECIES, c, atC + 13 * LANES);
    FloatVector c16 = FloatVector.fromArray(SPECIES, c, atC + 14 * LANES);
    FloatVector c17 = FloatVector.fromArray(SPECIES, c, atC + 15 * LANES);
    for (int t = from; t < to; t++) {
      int q = atB + terms[t] * 8 * LANES;
      FloatVector x0 = FloatVector.broadcast(SPECIES, first[t]);
      FloatVector x1 = FloatVector.broadcast(SPECIES, second[t]);
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, q);
      c00 = x0.fma(b0, c00);
      c10 = x1.fma(b0, c10);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, q + LANES);
      c01 = x0.fma(b1, c01);
      c11 = x1.fma(b1, c11);
      FloatVector b2 = FloatVector.fromArray(SPECIES, b, q + 2 * LANES);
      c02 = x0.fma(b2, c02);
      c12 = x1.fma(b2, c12);
      FloatVector b3 = FloatVector.fromArray(SPECIES, b, q + 3 * LANES);
      c03 = x0.fma(b3, c03);
      c13 = x1.fma(b3, c13);
      FloatVector b4 = FloatVector.fromArray(SPECIES, b, q + 4 * LANES);
      c04 = x0.fma(b4, c04);
      c14 = x1.fma(b4, c14);
      FloatVector b5 = FloatVector.fromArray(SPECIES, b, q + 5 * LANES);
      c05 = x0.fma(b5, c05);
      c15 = x1.fma(b5, c15);
      FloatVector b6 = FloatVector.fromArray(SPECIES, b, q + 6 * LANES);
      c06 = x0.fma(b6, c06);
      c16 = x1.fma(b6, c16);
      FloatVector b7 = FloatVector.fromArray(SPECIES, b, q + 7 * LANES);
      c07 = x0.fma(b7, c07);
      c17 = x1.fma(b7, c17);
    }
    c00.intoArray(c, atC);
    c01.intoArray(c, atC + LANES);
    c02.intoArray(c, atC + 2 * LANES);
    c03.intoArray(c, atC + 3 * LANES);
    c04.intoArray(c, atC + 4 * LANES);
    c05.intoArray(c, atC + 5 * LANES);
    c06.intoArray(c, atC + 6 * LANES);
    c07.intoArray(c, atC + 7 * LANES);
    c10.intoArray(c, atC + 8 * LANES);
    c11.intoArray(c, atC + 9 * LANES);
    c12.intoArray(c, atC + 10 * LANES);
    c13.intoArray(c, atC + 11 * LANES);
    c14.intoArray(c, atC + 12 * LANES);
    c15.intoArray(c, atC + 13 * LANES);
    c16.intoArray(c, atC + 14 * LANES);
    c17.intoArray(c, atC + 15 * LANES);
  }
}
