package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.spi.Operand;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** {@code dW = D' A}, {@code db = D' 1}. */
final class GradientsProduct extends TiledProduct {
  private float[] slope; // D
  private int atSlope;
  private int stride;
  private float[] sums;
  private int atSums;

  GradientsProduct(Workers workers, Scratch scratch, SparseProduct sparse) {
    super(workers, scratch, sparse);
  }

  void run(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    slope = d.block().floats();
    atSlope = (int) d.offset();
    stride = d.columns();
    sums = db.block().floats();
    atSums = (int) db.offset();
    multiply(d, true, a, false, dw);
    slope = null;
    sums = null;
  }

  @Override
  void transposedLeft(int i0, int i1, int p, int count) {
    if (p == 0) {
      Arrays.fill(sums, atSums + i0, atSums + i1, 0f);
    }
    int from = atSlope + p * stride + i0;
    addColumns(slope, from, count, stride, i1 - i0, sums, atSums + i0);
  }

  @Override
  void end(int i, int rows, int j, int columns, int worker) {
    // Nothing follows.
  }

  /** Adds up some columns of D: {@code count} from {@code atD} on. */
  private static void addColumns(
      float[] d, int atD, int rows, int stride, int count, float[] sums, int atSums) {
    int j = 0;
    for (; j <= count - 4 * LANES; j += 4 * LANES) {
      int to = atSums + j;
      FloatVector s0 = FloatVector.fromArray(SPECIES, sums, to);
      FloatVector s1 = FloatVector.fromArray(SPECIES, sums, to + LANES);
      FloatVector s2 = FloatVector.fromArray(SPECIES, sums, to + 2 * LANES);
      FloatVector s3 = FloatVector.fromArray(SPECIES, sums, to + 3 * LANES);
      for (int i = 0, at = atD + j; i < rows; i++, at += stride) {
        s0 = s0.add(FloatVector.fromArray(SPECIES, d, at));
        s1 = s1.add(FloatVector.fromArray(SPECIES, d, at + LANES));
        s2 = s2.add(FloatVector.fromArray(SPECIES, d, at + 2 * LANES));
        s3 = s3.add(FloatVector.fromArray(SPECIES, d, at + 3 * LANES));
      }
      s0.intoArray(sums, to);
      s1.intoArray(sums, to + LANES);
      s2.intoArray(sums, to + 2 * LANES);
      s3.intoArray(sums, to + 3 * LANES);
    }
    for (; j <= count - LANES; j += LANES) {
      FloatVector s = FloatVector.fromArray(SPECIES, sums, atSums + j);
      for (int i = 0, at = atD + j; i < rows; i++, at += stride) {
        s = s.add(FloatVector.fromArray(SPECIES, d, at));
      }
      s.intoArray(sums, atSums + j);
    }
    for (; j < count; j++) {
      float s = sums[atSums + j];
      for (int i = 0, at = atD + j; i < rows; i++, at += stride) {
        s += d[at];
      }
      sums[atSums + j] = s;
    }
  }
}
