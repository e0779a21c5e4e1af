package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** {@code E = (D W) (.) f'(saved)}. */
final class PropagateProduct extends TiledProduct {
  private Activation f;
  private float[] saved;
  private int atSaved;
  private float[] result;
  private int atResult;

  PropagateProduct(Workers workers, Scratch scratch, SparseProduct sparse) {
    super(workers, scratch, sparse);
  }

  void run(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation activation,
      Operand<HostBlock> kept,
      Operand<HostBlock> e) {
    f = activation;
    saved = kept.block().floats();
    atSaved = (int) kept.offset();
    result = e.block().floats();
    atResult = (int) e.offset();
    multiply(d, false, w, false, e);
    saved = null;
    result = null;
  }

  @Override
  void end(int i, int rows, int j, int columns, int worker) {
    if (columns == n && (f == Activation.RELU || f == Activation.IDENTITY)) {
      mask(i * n, rows * n, worker); // whole rows lie beside each other
      return;
    }
    for (int r = i; r < i + rows; r++) {
      mask(r * n + j, columns, worker);
    }
  }

  private void mask(int at, int count, int worker) {
    if (f == Activation.RELU) {
      maskRelu(saved, atSaved + at, result, atResult + at, count);
    } else if (f == Activation.IDENTITY) {
      maskIdentity(saved, atSaved + at, result, atResult + at, count);
    } else {
      float[] row = scratch.row(worker);
      float[] mask = scratch.mask(worker);
      System.arraycopy(saved, atSaved + at, mask, 0, count);
      System.arraycopy(result, atResult + at, row, 0, count);
      Activations.mask(f, mask, row, count);
      System.arraycopy(row, 0, result, atResult + at, count);
    }
  }

  /** Times 1 where a > 0, 0 where not, NaN where a is. */
  private static void maskRelu(float[] a, int atA, float[] e, int atE, int n) {
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    FloatVector zero = FloatVector.zero(SPECIES);
    int whole = SPECIES.loopBound(n);
    int j = 0;
    for (; j < whole; j += LANES) {
      FloatVector x = FloatVector.fromArray(SPECIES, a, atA + j);
      FloatVector slope =
          x.blend(one, x.compare(VectorOperators.GT, zero))
              .blend(zero, x.compare(VectorOperators.LE, zero));
      FloatVector.fromArray(SPECIES, e, atE + j).mul(slope).intoArray(e, atE + j);
    }
    for (; j < n; j++) {
      e[atE + j] *= a[atA + j] > 0 ? 1f : a[atA + j] <= 0 ? 0f : Float.NaN;
    }
  }

  /** Times 1, or NaN where a is. */
  private static void maskIdentity(float[] a, int atA, float[] e, int atE, int n) {
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    int whole = SPECIES.loopBound(n);
    int j = 0;
    for (; j < whole; j += LANES) {
      FloatVector x = FloatVector.fromArray(SPECIES, a, atA + j);
      FloatVector slope = one.blend(x, x.compare(VectorOperators.NE, x));
      FloatVector.fromArray(SPECIES, e, atE + j).mul(slope).intoArray(e, atE + j);
    }
    for (; j < n; j++) {
      e[atE + j] *= Float.isNaN(a[atA + j]) ? Float.NaN : 1f;
    }
  }
}
