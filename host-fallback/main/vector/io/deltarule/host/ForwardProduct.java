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

  ForwardProduct(Workers workers, Scratch scratch) {
    super(workers, scratch);
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
    for (int r = 0; r < rows; r++, at += n) {
      if (f == Activation.RELU) {
        biasRelu(result, at, bias, atBias + j, columns);
      } else {
        bias(result, at, bias, atBias + j, columns);
        if (saved != null) {
          System.arraycopy(result, at, saved, atSaved + (i + r) * n + j, columns);
        }
        if (f != Activation.IDENTITY) {
          float[] row = scratch.row(worker);
          System.arraycopy(result, at, row, 0, columns);
          Activations.apply(f, row, columns);
          System.arraycopy(row, 0, result, at, columns);
        }
      }
    }
  }

  private static void biasRelu(float[] z, int at, float[] b, int atB, int n) {
    FloatVector zero = FloatVector.zero(SPECIES);
    int whole = SPECIES.loopBound(n);
    int j = 0;
    for (; j < whole; j += LANES) {
      FloatVector sum =
          FloatVector.fromArray(SPECIES, z, at + j).add(FloatVector.fromArray(SPECIES, b, atB + j));
      // As Math.max does: -0 becomes 0 and NaN stays.
      sum.blend(zero, sum.compare(VectorOperators.LE, zero)).intoArray(z, at + j);
    }
    for (; j < n; j++) {
      z[at + j] = Math.max(z[at + j] + b[atB + j], 0f);
    }
  }

  private static void bias(float[] z, int at, float[] b, int atB, int n) {
    int whole = SPECIES.loopBound(n);
    int j = 0;
    for (; j < whole; j += LANES) {
      FloatVector.fromArray(SPECIES, z, at + j)
          .add(FloatVector.fromArray(SPECIES, b, atB + j))
          .intoArray(z, at + j);
    }
    for (; j < n; j++) {
      z[at + j] += b[atB + j];
    }
  }
}
