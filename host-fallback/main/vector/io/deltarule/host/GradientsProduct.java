package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/** {@code dW = D' A}, {@code db = D' 1}. */
final class GradientsProduct extends TiledProduct {

  GradientsProduct(Workers workers, Scratch scratch) {
    super(workers, scratch);
  }

  void run(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    left(d, true);
    right(a, false);
    columnSums(
        d.block().floats(),
        (int) d.offset(),
        d.rows(),
        d.columns(),
        db.block().floats(),
        (int) db.offset());
    multiply(dw);
  }

  @Override
  int rowScratch() {
    return 0;
  }

  @Override
  void end(int i, int rows, int j, int columns, int worker) {
    // Nothing follows.
  }

  private static void columnSums(float[] d, int atD, int m, int n, float[] sums, int atSums) {
    int j = 0;
    for (; j <= n - 4 * LANES; j += 4 * LANES) {
      FloatVector s0 = FloatVector.zero(SPECIES);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      for (int i = 0, at = atD + j; i < m; i++, at += n) {
        s0 = s0.add(FloatVector.fromArray(SPECIES, d, at));
        s1 = s1.add(FloatVector.fromArray(SPECIES, d, at + LANES));
        s2 = s2.add(FloatVector.fromArray(SPECIES, d, at + 2 * LANES));
        s3 = s3.add(FloatVector.fromArray(SPECIES, d, at + 3 * LANES));
      }
      s0.intoArray(sums, atSums + j);
      s1.intoArray(sums, atSums + j + LANES);
      s2.intoArray(sums, atSums + j + 2 * LANES);
      s3.intoArray(sums, atSums + j + 3 * LANES);
    }
    for (; j <= n - LANES; j += LANES) {
      FloatVector s = FloatVector.zero(SPECIES);
      for (int i = 0, at = atD + j; i < m; i++, at += n) {
        s = s.add(FloatVector.fromArray(SPECIES, d, at));
      }
      s.intoArray(sums, atSums + j);
    }
    for (; j < n; j++) {
      float s = 0;
      for (int i = 0, at = atD + j; i < m; i++, at += n) {
        s += d[at];
      }
      sums[atSums + j] = s;
    }
  }
}
