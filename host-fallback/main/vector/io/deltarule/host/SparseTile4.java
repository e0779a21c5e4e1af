package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;

/** Four vectors wide: 8 accumulators, for 16 registers, and for the last columns. */
final class SparseTile4 extends SparseTile {
  SparseTile4() {
    super(4);
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
    FloatVector c10 = FloatVector.fromArray(SPECIES, c, atC + 4 * LANES);
    FloatVector c11 = FloatVector.fromArray(SPECIES, c, atC + 5 * LANES);
    FloatVector c12 = FloatVector.fromArray(SPECIES, c, atC + 6 * LANES);
    FloatVector c13 = FloatVector.fromArray(SPECIES, c, atC + 7 * LANES);
    for (int t = from; t < to; t++) {
      int q = atB + terms[t] * 4 * LANES;
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
    }
    c00.intoArray(c, atC);
    c01.intoArray(c, atC + LANES);
    c02.intoArray(c, atC + 2 * LANES);
    c03.intoArray(c, atC + 3 * LANES);
    c10.intoArray(c, atC + 4 * LANES);
    c11.intoArray(c, atC + 5 * LANES);
    c12.intoArray(c, atC + 6 * LANES);
    c13.intoArray(c, atC + 7 * LANES);
  }
}
