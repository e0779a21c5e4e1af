package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** {@code A = f(X W' + 1 b')}. */
final class ForwardProduct extends TiledProduct {
  private float[] bias;
  private int atBias;
  private Activation f;
  private float[] saved; // only if it is not A
  private int atSaved;
  private float[] result;
  private int atResult;

  ForwardProduct(Workers workers, Scratch scratch, SparseProduct sparse) {
    super(workers, scratch, sparse);
  }

  void run(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation activation,
      Operand<HostBlock> input,
      Operand<HostBlock> a) {
    bias = b.block().floats();
    atBias = (int) b.offset();
    f = activation;
    saved = f.savesInput() ? input.block().floats() : null;
    atSaved = (int) input.offset();
    result = a.block().floats();
    atResult = (int) a.offset();
    multiply(x, false, w, true, a);
    bias = null;
    saved = null;
    result = null;
  }

  @Override
  void end(int i, int rows, int j, int columns, int worker) {
    int at = atResult + i * n + j;
    bias(result, at, n, rows, columns, bias, atBias + j, f == Activation.RELU ? 0 : Float.NaN);
    if (f == Activation.RELU || f == Activation.IDENTITY) {
      return;
    }
    float[] row = scratch.row(worker);
    for (int r = 0; r < rows; r++, at += n) {
      if (saved != null) {
        System.arraycopy(result, at, saved, atSaved + (i + r) * n + j, columns);
      }
      System.arraycopy(result, at, row, 0, columns);
      Activations.apply(f, row, columns);
      System.arraycopy(row, 0, result, at, columns);
    }
  }

  /**
   * Adds the bias to some rows of Z, and puts 0 in place of what is not above {@code least}: ReLU
   * with 0, where as in Math.max -0 becomes 0 and NaN stays; nothing with NaN. Four vectors of the
   * bias stay in registers for all rows.
   */
  private static void bias(
      float[] z, int at, int stride, int rows, int columns, float[] b, int atB, float least) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector low = FloatVector.broadcast(SPECIES, least);
    int whole = SPECIES.loopBound(columns);
    int single = whole > 0 && whole < columns ? whole - LANES : whole;
    int j = 0;
    for (; j <= single - 4 * LANES; j += 4 * LANES) {
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, atB + j);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, atB + j + LANES);
      FloatVector b2 = FloatVector.fromArray(SPECIES, b, atB + j + 2 * LANES);
      FloatVector b3 = FloatVector.fromArray(SPECIES, b, atB + j + 3 * LANES);
      for (int i = 0, r = at + j; i < rows; i++, r += stride) {
        FloatVector z0 = FloatVector.fromArray(SPECIES, z, r).add(b0);
        FloatVector z1 = FloatVector.fromArray(SPECIES, z, r + LANES).add(b1);
        FloatVector z2 = FloatVector.fromArray(SPECIES, z, r + 2 * LANES).add(b2);
        FloatVector z3 = FloatVector.fromArray(SPECIES, z, r + 3 * LANES).add(b3);
        z0.blend(zero, z0.compare(VectorOperators.LE, low)).intoArray(z, r);
        z1.blend(zero, z1.compare(VectorOperators.LE, low)).intoArray(z, r + LANES);
        z2.blend(zero, z2.compare(VectorOperators.LE, low)).intoArray(z, r + 2 * LANES);
        z3.blend(zero, z3.compare(VectorOperators.LE, low)).intoArray(z, r + 3 * LANES);
      }
    }
    for (; j < single; j += LANES) {
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, atB + j);
      for (int i = 0, r = at + j; i < rows; i++, r += stride) {
        FloatVector z0 = FloatVector.fromArray(SPECIES, z, r).add(b0);
        z0.blend(zero, z0.compare(VectorOperators.LE, low)).intoArray(z, r);
      }
    }
    if (j < whole) { // and the last columns, in a vector that overlaps it
      int past = columns - whole;
      FloatVector b0 = FloatVector.fromArray(SPECIES, b, atB + j);
      FloatVector b1 = FloatVector.fromArray(SPECIES, b, atB + j + past);
      for (int i = 0, r = at + j; i < rows; i++, r += stride) {
        FloatVector z0 = FloatVector.fromArray(SPECIES, z, r).add(b0);
        FloatVector z1 = FloatVector.fromArray(SPECIES, z, r + past).add(b1);
        z0.blend(zero, z0.compare(VectorOperators.LE, low)).intoArray(z, r);
        z1.blend(zero, z1.compare(VectorOperators.LE, low)).intoArray(z, r + past);
      }
      return;
    }
    for (; j < columns; j++) {
      for (int i = 0, r = at + j; i < rows; i++, r += stride) {
        float sum = z[r] + b[atB + j];
        z[r] = sum <= least ? 0f : sum;
      }
    }
  }
}
