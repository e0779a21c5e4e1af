package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;

/**
 * {@code A = f(X W' + 1 b')} for a few rows or columns: dot products of the rows of X and W as they
 * lie. Packing W would take longer than multiplying.
 */
final class ThinForward extends Workers.Task {

  /** Rows of the longer of the two that make a chunk. */
  private static final int ROWS = 64;

  private final Workers workers;
  private final Dots dots;
  private final float[][] sums; // one for each worker
  private final Rows[] rows; // the same
  private float[] longer; // X or W
  private int atLonger;
  private int lines; // its rows
  private float[] shorter; // the other
  private int atShorter;
  private int few; // its rows
  private int k;
  private boolean wide; // W is the longer one
  private float[] bias;
  private int atBias;
  private Activation f;
  private float[] saved; // only if it is not A
  private int atSaved;
  private float[] result;
  private int atResult;

  ThinForward(Workers workers, Dots dots) {
    this.workers = workers;
    this.dots = dots;
    sums = new float[workers.threads()][Dots.CHAINS];
    rows = new Rows[workers.threads()];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = new Rows();
    }
  }

  void run(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation activation,
      Operand<HostBlock> input,
      Operand<HostBlock> a) {
    wide = w.rows() > x.rows();
    Operand<HostBlock> first = wide ? w : x;
    Operand<HostBlock> second = wide ? x : w;
    longer = first.block().floats();
    atLonger = (int) first.offset();
    lines = first.rows();
    shorter = second.block().floats();
    atShorter = (int) second.offset();
    few = second.rows();
    k = x.columns();
    bias = b.block().floats();
    atBias = (int) b.offset();
    f = activation;
    saved = f.savesInput() ? input.block().floats() : null;
    atSaved = (int) input.offset();
    result = a.block().floats();
    atResult = (int) a.offset();
    int chunks = (lines + ROWS - 1) / ROWS;
    if (f != Activation.IDENTITY) {
      for (Rows own : rows) {
        // Now, as a worker may have its first chunk of this shape at any later call.
        own.take(1, wide ? ROWS : ROWS * few);
      }
    }
    workers.run(this, (long) lines * few * k >= Kernels.WORTH_SHARING, chunks);
    longer = null;
    shorter = null;
    bias = null;
    saved = null;
    result = null;
  }

  @Override
  void run(int chunk, int worker) {
    int start = chunk * ROWS;
    int end = Math.min(lines, start + ROWS);
    if (few == 1 && !wide) {
      dots.column(
          end - start,
          k,
          longer,
          atLonger + start * k,
          shorter,
          atShorter,
          bias[atBias],
          result,
          atResult + start,
          sums[worker]);
    } else {
      multiply(start, end, sums[worker]);
    }
    if (f == Activation.IDENTITY) {
      return;
    }
    float[] row = rows[worker].take(1, wide ? ROWS : ROWS * few)[0];
    if (wide) {
      for (int j = 0; j < few; j++) {
        activate(j * lines + start, end - start, row);
      }
    } else {
      activate(start * few, (end - start) * few, row);
    }
  }

  private void multiply(int start, int end, float[] products) {
    for (int i = start; i < end; i += dots.rows()) {
      int count = Math.min(dots.rows(), end - i);
      for (int j = 0; j < few; j++) {
        dots.run(count, k, longer, atLonger + i * k, shorter, atShorter + j * k, products);
        store(products, i, count, j);
      }
    }
  }

  private void store(float[] products, int i, int count, int j) {
    if (wide) {
      int to = atResult + j * lines + i;
      for (int r = 0; r < count; r++) {
        result[to + r] = products[r] + bias[atBias + i + r];
      }
    } else {
      int to = atResult + i * few + j;
      for (int r = 0; r < count; r++) {
        result[to + r * few] = products[r] + bias[atBias + j];
      }
    }
  }

  private void activate(int from, int count, float[] row) {
    if (saved != null) {
      System.arraycopy(result, atResult + from, saved, atSaved + from, count);
    }
    System.arraycopy(result, atResult + from, row, 0, count);
    Activations.apply(f, row, count);
    System.arraycopy(row, 0, result, atResult + from, count);
  }
}
