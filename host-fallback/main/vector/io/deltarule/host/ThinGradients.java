package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.spi.Operand;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * {@code dW = D' A}, {@code db = D' 1} for one column D: the rows of A as they lie in memory are
 * added up, four at a time. In a tile, seven of eight rows would be for nothing.
 */
final class ThinGradients extends Workers.Task {

  /** Of A and dW: a chunk's part of dW stays in the first-level cache. */
  private static final int COLUMNS = 1024;

  private final Workers workers;
  private final Scratch scratch;
  private float[] slope; // D
  private int atSlope;
  private int k;
  private float[] input; // A
  private int atInput;
  private int n;
  private float[] result;
  private int atResult;

  ThinGradients(Workers workers, Scratch scratch) {
    this.workers = workers;
    this.scratch = scratch;
  }

  void run(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    slope = d.block().floats();
    atSlope = (int) d.offset();
    k = d.rows();
    input = a.block().floats();
    atInput = (int) a.offset();
    n = a.columns();
    result = dw.block().floats();
    atResult = (int) dw.offset();
    scratch.reserveRows(workers.threads(), COLUMNS);
    workers.run(this, (long) n * k >= Kernels.WORTH_SHARING, (n + COLUMNS - 1) / COLUMNS);
    float sum = 0;
    for (int i = 0; i < k; i++) {
      sum += slope[atSlope + i];
    }
    db.block().floats()[(int) db.offset()] = sum;
    slope = null;
    input = null;
    result = null;
  }

  @Override
  void run(int chunk, int worker) {
    int j = chunk * COLUMNS;
    int columns = Math.min(COLUMNS, n - j);
    int to = atResult + j;
    Arrays.fill(result, to, to + columns, 0f);
    int stretch = Kernels.stretch(k);
    addRows(0, Math.min(stretch, k), j, columns, result, to);
    float[] row = scratch.row(worker);
    for (int first = stretch; first < k; first += stretch) {
      Arrays.fill(row, 0, columns, 0f);
      addRows(first, Math.min(stretch, k - first), j, columns, row, 0);
      for (int i = 0; i < columns; i++) {
        result[to + i] += row[i];
      }
    }
  }

  private void addRows(int first, int rows, int j, int columns, float[] sums, int atSums) {
    int at = atInput + first * n + j;
    int atFactor = atSlope + first;
    int i = 0;
    for (; i <= rows - 4; i += 4, at += 4 * n) {
      addFour(input, at, n, columns, slope, atFactor + i, sums, atSums);
    }
    for (; i < rows; i++, at += n) {
      float factor = slope[atFactor + i];
      for (int c = 0; c < columns; c++) {
        sums[atSums + c] = Math.fma(input[at + c], factor, sums[atSums + c]);
      }
    }
  }

  private static void addFour(
      float[] a, int at, int stride, int columns, float[] d, int atD, float[] sums, int atSums) {
    FloatVector d0 = FloatVector.broadcast(SPECIES, d[atD]);
    FloatVector d1 = FloatVector.broadcast(SPECIES, d[atD + 1]);
    FloatVector d2 = FloatVector.broadcast(SPECIES, d[atD + 2]);
    FloatVector d3 = FloatVector.broadcast(SPECIES, d[atD + 3]);
    int whole = SPECIES.loopBound(columns);
    int j = 0;
    for (; j < whole; j += LANES) {
      int i = at + j;
      FloatVector sum = FloatVector.fromArray(SPECIES, sums, atSums + j);
      sum = FloatVector.fromArray(SPECIES, a, i).fma(d0, sum);
      sum = FloatVector.fromArray(SPECIES, a, i + stride).fma(d1, sum);
      sum = FloatVector.fromArray(SPECIES, a, i + 2 * stride).fma(d2, sum);
      sum = FloatVector.fromArray(SPECIES, a, i + 3 * stride).fma(d3, sum);
      sum.intoArray(sums, atSums + j);
    }
    for (; j < columns; j++) {
      int i = at + j;
      float sum = Math.fma(a[i], d[atD], sums[atSums + j]);
      sum = Math.fma(a[i + stride], d[atD + 1], sum);
      sum = Math.fma(a[i + 2 * stride], d[atD + 2], sum);
      sums[atSums + j] = Math.fma(a[i + 3 * stride], d[atD + 3], sum);
    }
  }
}
